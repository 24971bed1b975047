/** Runs a script on a disk of a few mebibytes that only its process sees: a tmpfs in a mount namespace of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { createInterface } from 'node:readline'
import { transpiled } from './transpiled.ts'

const MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1"'
const probe = spawnSync('unshare', ['-rm', 'bash', '-c', MOUNT, 'bash', '/tmp', '1m'])

/** For tap's `skip`. */
export const smallDiskSkip =
  probe.status === 0
    ? false
    : 'SKIP: a tmpfs cannot be mounted here (unshare -rm, mount): nothing is tested on a full disk'

export interface SmallDiskScript {
  /** In the repository's tree, so that packages are found; the script and its modules are put here. */
  readonly folder: string
  readonly mebibytes: number
  /** Modules of the repository by path, and the names that the script uses of each. */
  readonly imports: Readonly<Record<string, readonly string[]>>
  /**
   * JavaScript of an ES module. It has `disk`, the folder that the disk is mounted on; `fillDisk()`, which leaves no free byte;
   * `freeBlocks()`; and `say(value)`, which reports.
   */
  readonly script: string
}

/** @returns what the script said, in order. */
export async function onSmallDisk({
  folder,
  mebibytes,
  imports,
  script,
}: SmallDiskScript): Promise<unknown[]> {
  const built = await transpiled(folder, await closureOf(Object.keys(imports)))
  const disk = join(folder, 'disk')
  await mkdir(disk)
  const lines = Object.entries(imports).map(
    ([file, names]) =>
      `import { ${names.join(', ')} } from ${JSON.stringify(join(built, file.replace(/\.ts$/, '.js')))}`,
  )
  const file = join(folder, 'script.mjs')
  await writeFile(file, `${lines.join('\n')}\nconst disk = ${JSON.stringify(disk)}\n${PRELUDE}\n${script}\n`)
  const command = `${MOUNT} && exec "$3" "$4"`
  const child = spawn(
    'unshare',
    ['-rm', 'bash', '-c', command, 'bash', disk, `${mebibytes}m`, process.execPath, file],
    {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const said: unknown[] = []
  for await (const line of createInterface({ input: child.stdout })) said.push(JSON.parse(line))
  return said
}

const PRELUDE = `
import { statfsSync, writeFileSync, writeSync } from 'node:fs'
const say = (value) => void writeSync(1, JSON.stringify(value) + '\\n')
const freeBlocks = () => statfsSync(disk).bavail
let filled = 0
const fillDisk = () => {
  for (let bytes = 65536; bytes > 0; ) {
    try { writeFileSync(disk + '/fill' + filled++, Buffer.alloc(bytes)) } catch { bytes >>= 1 }
  }
}`

/** With all that these files import of the repository. */
export async function closureOf(files: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  const visit = async (file: string): Promise<void> => {
    if (found.has(file)) return
    found.add(file)
    const source = await readFile(join(import.meta.dirname, '../..', file), 'utf8')
    for (const [, name] of source.matchAll(/^(?:import (?!type\b)|export \{)[^;]*? from '(\.[^']+)'/gm)) {
      await visit(normalize(join(file, '..', name ?? '')))
    }
  }
  for (const file of files) await visit(file)
  return [...found]
}
