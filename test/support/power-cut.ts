/** A file system whose power is cut before its n-th call; every later call fails too. Calls are logged. */
import * as files from 'node:fs/promises'
import path from 'node:path'
import type { FileSystem } from '../../models/durable-folder.ts'

export function powerCutAfter(calls: number): { fileSystem: FileSystem; log: string[] } {
  const log: string[] = []
  const step = (name: string, target: unknown): void => {
    if (log.length >= calls) throw new Error('power cut')
    log.push(`${name} ${path.basename(String(target))}`)
  }
  const fileSystem = {
    async mkdir(...args: Parameters<typeof files.mkdir>) {
      step('mkdir', args[0])
      return files.mkdir(...args)
    },
    async rename(...args: Parameters<typeof files.rename>) {
      step('rename', args[1])
      return files.rename(...args)
    },
    async rm(...args: Parameters<typeof files.rm>) {
      step('rm', args[0])
      return files.rm(...args)
    },
    async open(...args: Parameters<typeof files.open>) {
      step('open', args[0])
      const handle = await files.open(...args)
      return {
        async writeFile(bytes: Uint8Array) {
          try {
            step('write', args[0])
          } catch (error) {
            await handle.writeFile(bytes.subarray(0, bytes.length >> 1))
            throw error
          }
          await handle.writeFile(bytes)
        },
        async sync() {
          step('sync', args[0])
          await handle.sync()
        },
        close: () => handle.close(),
      }
    },
  }
  return { fileSystem: fileSystem as unknown as FileSystem, log }
}
