/**
 * Copies what a station cannot make again: the ledger, its repositories and the golden parts. A back-up is a folder that is whole or not
 * there; it is laid out as the state directory, so that restoring is copying back (RESTORE.txt in it says how), and has the hashes of all
 * its files in the form that sha256sum checks.
 *
 * Every repository and part is read as the station reads it, from the copy. What is damaged in the state directory is taken from the
 * newest back-up that has it whole: else the last good copy would leave with the oldest back-up. Repositories and parts never change, so
 * that copy is the same one.
 */
import { createHash } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import * as files from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from '../drivers/message-of.ts'
import { removeFolder, type FileSystem } from '../models/durable-folder.ts'
import { readManifest } from '../models/repository.ts'
import { loadStoredPart } from '../models/stored-part.ts'
import { sqliteCodeOf } from './database.ts'
import { openLedger, type Ledger } from './ledger.ts'
import { RuntimeError } from './runtime-error.ts'

export interface BackupOptions {
  readonly stateDirectory: string
  /** Holds all back-ups. */
  readonly folder: string
  /** So many of the newest stay. */
  readonly keep: number
  readonly ledger: Pick<Ledger, 'copyTo' | 'active'>
  /** Milliseconds since 1970; only for the name. */
  readonly wallClock: () => number
  readonly signal: AbortSignal
  readonly fileSystem?: FileSystem
}

export interface BackupReport {
  /** Of this back-up. */
  readonly folder: string
  readonly files: number
  readonly bytes: number
  /** Names of older back-ups that are gone. */
  readonly removed: readonly string[]
  /** Links and other things that were not followed or copied, as paths in the state directory. */
  readonly skipped: readonly string[]
  /** What is damaged or missing in the state directory: tell a person. */
  readonly damaged: readonly Damaged[]
}

export interface Damaged {
  /** In the state directory. */
  readonly path: string
  readonly detail: string
  /** The back-up that a whole copy was taken from; without it there is none any more. */
  readonly takenFrom?: string
}

/** By number, not by time: a clock that was wrong once must not make the newest back-up the oldest. */
const NAME = /^(\d{6})-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/
const UNFINISHED = /^\d{6}-[0-9TZ-]+\.partial$/
const REPOSITORY = /^[0-9a-f]{64}$/
/** Being written or removed by somebody, or left so by a power cut. */
const IN_BETWEEN = /\.(partial|removed)$/
const SUMS = 'SHA256SUMS'
const LEDGER = 'repositories/ledger.sqlite'
const CHUNK_BYTES = 2 ** 20

const RESTORE = `How to restore this back-up of a radar-edge station

1. Check it here:            sha256sum -c ${SUMS}
2. Stop the station.
3. In its state directory, move 'repositories' and 'golden' away.
4. Copy them back from here: cp -r repositories golden STATE_DIRECTORY/
5. Let the station's user own them, and start the station.

The repositories of the ledger's last promotions and rollbacks are in use again.
`

/** @throws RuntimeError `BACKUP_FAILED`: no back-up was made, older ones are as they were. Rejects with the signal's reason. */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { folder, keep, fileSystem = files } = options
  requireApart(options)
  try {
    await fileSystem.mkdir(folder, { recursive: true })
    await flush(path.dirname(folder), fileSystem)
    await removeUnfinished(folder, fileSystem)
    const older = await backupsIn(folder)
    const target = path.join(folder, nextName(older, options.wallClock()))
    const partial = `${target}.partial`
    const { sums, ...copied } = await writeBackup(partial, { ...options, older }).catch(async (error) => {
      await fileSystem.rm(partial, { recursive: true, force: true }).catch(() => undefined)
      throw error
    })
    await fileSystem.rename(partial, target)
    await flush(folder, fileSystem)
    const removed = older.slice(Math.max(0, keep - 1))
    for (const name of removed) await removeFolder(path.join(folder, name), fileSystem)
    return { folder: target, files: sums.size, removed, ...copied }
  } catch (error) {
    options.signal.throwIfAborted()
    throw new RuntimeError('BACKUP_FAILED', `back-up in ${folder}: ${messageOf(error)}`, { cause: error })
  }
}

/** Names of the back-ups in a folder, the newest first; none when there is no such folder. */
export async function backupsIn(folder: string): Promise<string[]> {
  const entries = (await isAbsent(folder)) ? [] : await entriesOf(folder)
  return entries
    .filter((entry) => entry.isDirectory() && NAME.test(entry.name))
    .map(({ name }) => name)
    .sort()
    .reverse()
}

/** @returns what is wrong with a back-up, one sentence each; none when every file is as it was written. */
export async function verifyBackup(folder: string, signal: AbortSignal): Promise<string[]> {
  const text = await files
    .readFile(path.join(folder, SUMS), 'utf8')
    .catch((error: unknown) => messageOf(error))
  const lines = text.split('\n').filter((line) => line !== '')
  const problems: string[] = []
  for (const line of lines) {
    const [, sha256, name] = /^([0-9a-f]{64}) {2}([^\0]+)$/.exec(line) ?? []
    if (
      sha256 === undefined ||
      name === undefined ||
      name.split('/').includes('..') ||
      name.startsWith('/')
    ) {
      problems.push(`${SUMS} has a line that is no hash of a file: ${line.slice(0, 200)}`)
      continue
    }
    const found = await hashOf(path.join(folder, name), signal).catch((error: unknown) => {
      signal.throwIfAborted()
      return messageOf(error)
    })
    if (found !== sha256) problems.push(`${name}: expected SHA-256 ${sha256}, found ${found}`)
  }
  return problems
}

/** Copies below what is copied would copy themselves. */
function requireApart({ stateDirectory, folder }: BackupOptions): void {
  for (const source of ['repositories', 'golden']) {
    const relative = path.relative(path.join(stateDirectory, source), folder)
    if (relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative))) {
      throw new RuntimeError('BACKUP_FAILED', `${folder} lies in what is backed up: choose another folder`)
    }
  }
}

async function removeUnfinished(folder: string, fileSystem: FileSystem): Promise<void> {
  for (const { name } of await entriesOf(folder)) {
    if (UNFINISHED.test(name)) await fileSystem.rm(path.join(folder, name), { recursive: true, force: true })
  }
}

function nextName(older: readonly string[], nowMs: number): string {
  const number = Number(NAME.exec(older[0] ?? '')?.[1] ?? 0) + 1
  const time = new Date(nowMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-')
  return `${String(number).padStart(6, '0')}-${time}`
}

interface Copy {
  /** Of every file by its path in the back-up. */
  readonly sums: ReadonlyMap<string, string>
  readonly bytes: number
  readonly skipped: readonly string[]
  readonly damaged: readonly Damaged[]
}

async function writeBackup(
  partial: string,
  options: BackupOptions & { readonly older: readonly string[] },
): Promise<Copy> {
  const { stateDirectory, folder, older, ledger, signal, fileSystem = files } = options
  const sums = new Map<string, string>()
  const skipped: string[] = []
  const damaged: Damaged[] = []
  const folders = new Set<string>([partial])
  let bytes = 0
  const makeFolder = async (relative: string): Promise<string> => {
    const made = path.join(partial, relative)
    await fileSystem.mkdir(made, { recursive: true }).catch(ofTarget)
    for (let above = made; above !== partial; above = path.dirname(above)) folders.add(above)
    return made
  }
  /** All files of one repository or part. @throws when it is not whole. */
  const copyItem = async (item: string, from: string): Promise<void> => {
    const to = await makeFolder(item)
    const copied = new Map<string, string>()
    let copiedBytes = 0
    for (const entry of await entriesOf(path.join(from, item))) {
      const name = path.posix.join(item, entry.name)
      if (!entry.isFile()) {
        if (from === stateDirectory) skipped.push(name)
        continue
      }
      const source = path.join(from, name)
      const file = await copyFile(source, path.join(to, entry.name), { signal, fileSystem })
      copied.set(name, file.sha256)
      copiedBytes += file.bytes
    }
    await requireWhole(item, { folder: to, sums: copied })
    for (const [name, sha256] of copied) sums.set(name, sha256)
    bytes += copiedBytes
  }

  const copyOldLedger = async (): Promise<string | undefined> => {
    for (const name of older) {
      const source = path.join(folder, name, LEDGER)
      if (await isAbsent(source)) continue
      const file = await copyFile(source, path.join(partial, LEDGER), { signal, fileSystem })
      sums.set(LEDGER, file.sha256)
      bytes += file.bytes
      return name
    }
    return undefined
  }

  await makeFolder('repositories')
  await makeFolder('golden')
  // First: whatever it has put into use by now is on the disk and stays there as long as it is in use.
  let isLedgerWhole = true
  try {
    bytes += await copyLedger(partial, { ledger, sums, signal })
  } catch (error) {
    if (!isDamage(error)) throw error
    isLedgerWhole = false
    await fileSystem.rm(path.join(partial, LEDGER), { force: true })
    const takenFrom = await copyOldLedger()
    damaged.push({ path: LEDGER, detail: messageOf(error), ...(takenFrom !== undefined && { takenFrom }) })
  }
  const found = await itemsOf(stateDirectory, skipped)
  const items = new Set(found)
  for (const product of isLedgerWhole ? new Set(found.map(productOf)) : []) {
    const active = ledger.active(product)
    if (active !== undefined) items.add(`repositories/${product}/${active}`)
  }
  for (const item of [...items].sort()) {
    signal.throwIfAborted()
    const sources = [stateDirectory, ...older.map((name) => path.join(folder, name))]
    let detail: string | undefined
    for (const [index, source] of sources.entries()) {
      try {
        await copyItem(item, source)
        if (detail !== undefined) damaged.push({ path: item, detail, takenFrom: older[index - 1]! })
        detail = undefined
        break
      } catch (error) {
        signal.throwIfAborted()
        if (isOfTarget(error)) throw error
        await fileSystem.rm(path.join(partial, item), { recursive: true, force: true })
        folders.delete(path.join(partial, item))
        // Removed by somebody since it was listed: not there, and not to be there.
        const isGone =
          index === 0 && (await isAbsent(path.join(stateDirectory, item))) && found.includes(item)
        if (isGone) break
        detail ??= messageOf(error)
      }
    }
    if (detail !== undefined) damaged.push({ path: item, detail })
  }
  await writeFlushed(path.join(partial, 'RESTORE.txt'), Buffer.from(RESTORE), fileSystem)
  const lines = [...sums].map(([name, sha256]) => `${sha256}  ${name}\n`)
  await writeFlushed(path.join(partial, SUMS), Buffer.from(lines.join('')), fileSystem)
  // The deepest first: a folder that is flushed names what is on the disk.
  for (const made of [...folders].sort().reverse()) await flush(made, fileSystem)
  const [problem] = await verifyBackup(partial, signal)
  if (problem !== undefined) throw new Error(`it is not as it was written: ${problem}`)
  return { sums, bytes, skipped, damaged }
}

async function copyLedger(
  partial: string,
  {
    ledger,
    sums,
    signal,
  }: {
    readonly ledger: BackupOptions['ledger']
    readonly sums: Map<string, string>
    readonly signal: AbortSignal
  },
): Promise<number> {
  const file = path.join(partial, LEDGER)
  ledger.copyTo(file)
  const copied = await files.stat(file).catch(() => undefined)
  // Nothing was ever taught.
  if (!copied) return 0
  const opened = openLedger(path.dirname(file))
  try {
    opened.history({ limit: 1 })
  } finally {
    opened.close()
  }
  await flush(file, files)
  sums.set(LEDGER, await hashOf(file, signal))
  return copied.size
}

/** `repositories/<product>/<id>` and `golden/<product>/<part>`, as paths in the state directory. */
async function itemsOf(stateDirectory: string, skipped: string[]): Promise<string[]> {
  const items: string[] = []
  for (const root of ['repositories', 'golden']) {
    const rootEntry = (await entriesOf(stateDirectory)).find(({ name }) => name === root)
    if (!rootEntry) continue
    if (!rootEntry.isDirectory()) {
      skipped.push(root)
      continue
    }
    for (const product of await entriesOf(path.join(stateDirectory, root))) {
      if (product.isFile() || IN_BETWEEN.test(product.name)) continue
      if (!product.isDirectory()) {
        skipped.push(`${root}/${product.name}`)
        continue
      }
      for (const item of await entriesOf(path.join(stateDirectory, root, product.name))) {
        const name = `${root}/${product.name}/${item.name}`
        if (item.isFile() || IN_BETWEEN.test(item.name)) continue
        const isExpected = root === 'golden' || REPOSITORY.test(item.name)
        if (item.isDirectory() && isExpected) items.push(name)
        else skipped.push(name)
      }
    }
  }
  return items
}

const productOf = (item: string): string => item.split('/')[1]!

/** @throws an error of the repository or part. */
async function requireWhole(
  item: string,
  { folder, sums }: { readonly folder: string; readonly sums: ReadonlyMap<string, string> },
): Promise<void> {
  if (item.startsWith('golden/')) {
    await loadStoredPart(folder, 'all')
    return
  }
  const { id, manifest } = await readManifest(folder)
  const { name, sha256 } = manifest.tensors
  const found = sums.get(`${item}/${name}`)
  if (id !== path.basename(item)) throw new Error(`holds repository ${id}`)
  if (found !== sha256) throw new Error(`${name} has SHA-256 ${found}, the manifest says ${sha256}`)
}

interface Copying {
  readonly signal: AbortSignal
  readonly fileSystem: FileSystem
}

/** Never through a link, not even one that has just taken the file's place. */
async function copyFile(
  source: string,
  target: string,
  { signal, fileSystem }: Copying,
): Promise<{ sha256: string; bytes: number }> {
  const from = await files.open(source, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const to = await fileSystem.open(target, 'wx').catch(ofTarget)
    try {
      const hash = createHash('sha256')
      let bytes = 0
      for await (const chunk of chunksOf(from, signal)) {
        hash.update(chunk)
        bytes += chunk.length
        await to.writeFile(chunk).catch(ofTarget)
      }
      await to.sync().catch(ofTarget)
      return { sha256: hash.digest('hex'), bytes }
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

async function hashOf(file: string, signal: AbortSignal): Promise<string> {
  const opened = await files.open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const hash = createHash('sha256')
    for await (const chunk of chunksOf(opened, signal)) hash.update(chunk)
    return hash.digest('hex')
  } finally {
    await opened.close()
  }
}

async function* chunksOf(file: files.FileHandle, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(CHUNK_BYTES) })
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

/** Of the ledger itself; anything else SQLite says is of the disk that it was to be copied to, or of a busy moment. */
function isDamage(error: unknown): boolean {
  if (!(error instanceof RuntimeError) || error.code !== 'LEDGER_UNREADABLE') return false
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCodeOf(error.cause) ?? 'SQLITE_CORRUPT')
}

/** Where the back-up is written to has failed: no other source would help. */
class TargetError extends Error {}

function ofTarget(error: unknown): never {
  throw new TargetError(messageOf(error), { cause: error })
}

const isOfTarget = (error: unknown): boolean => error instanceof TargetError

async function writeFlushed(file: string, bytes: Uint8Array, fileSystem: FileSystem): Promise<void> {
  const handle = await fileSystem.open(file, 'wx')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function flush(fileOrFolder: string, fileSystem: FileSystem): Promise<void> {
  const handle = await fileSystem.open(fileOrFolder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return files.readdir(folder, { withFileTypes: true })
}

async function isAbsent(file: string): Promise<boolean> {
  return files.lstat(file).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
}
