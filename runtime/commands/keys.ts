import { basename, resolve } from 'node:path'
import { createKeys } from '../../models/signature.ts'

/** `radar-edge keys create`: a pair to sign repositories and bundles with. */
export async function createKeysCommand(options: {
  readonly out: string
  readonly name: string
  readonly json: boolean
}): Promise<void> {
  const { name } = options
  const files = await createKeys(options.out, name)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ name, ...files })}\n`)
    return
  }
  process.stdout.write(
    [
      `${files.privateKeyFile}  signs; keep it secret`,
      `${files.publicKeyFile}  goes to every station that shall believe what it signs`,
      '',
      'In the config of the station that signs:',
      `  trust: { signing: { name: ${name}, privateKeyFile: ${resolve(files.privateKeyFile)} } }`,
      'In the config of the others:',
      `  trust: { keys: [{ name: ${name}, publicKeyFile: ${basename(files.publicKeyFile)} }] }`,
      '',
    ].join('\n'),
  )
}
