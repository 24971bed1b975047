/**
 * A folder in which a file asks for an inspection: `<part>.trigger`, empty or with the part's id, or `<any>.json` with a
 * request. After its verdict the file moves to done/, so a crash in between asks again; one that is no request moves to
 * failed/. Writers should write elsewhere and rename; one that writes in place is given a moment to finish.
 */
import { watch, type FSWatcher } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { delay, type Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'
import { RuntimeError } from '../runtime-error.ts'
import type { Ask, OnRefused, TriggerFeed } from './feed.ts'
import { parseRequest, parseRequestJson, parseRequestText } from './request-parser.ts'

export interface FileFeedOptions {
  readonly folder: string
  readonly clock: Clock
  readonly onRefused: OnRefused
}

const MAX_REQUEST_BYTES = 65_536
/** Network file systems do not always report changes. */
const SCAN_EVERY_MS = 1000
/** A malformed file may still be growing. */
const SETTLE_MS = 2000
/** Kept in done/ and in failed/, newest first. */
const MAX_KEPT_FILES = 1000

export function fileFeed(options: FileFeedOptions): TriggerFeed {
  return async (ask, signal) => {
    const { folder, clock } = options
    for (const name of ['', 'done', 'failed']) await mkdir(join(folder, name), { recursive: true })
    const inbox = new Inbox(options, ask)
    let wake = (): void => undefined
    const watcher = watchFolder(folder, () => wake())
    try {
      while (!signal.aborted) {
        const changed = new AbortController()
        wake = () => changed.abort()
        await inbox.scan()
        await delay(SCAN_EVERY_MS, AbortSignal.any([signal, changed.signal]), clock).catch(() => undefined)
      }
    } finally {
      watcher?.close()
    }
    await inbox.settled()
  }
}

/** Only saves time: without a watch (the system's are used up, a network file system) scanning goes on. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, onChange)
    return watcher.on('error', () => undefined)
  } catch {
    return undefined
  }
}

class Inbox {
  readonly #options: FileFeedOptions
  readonly #ask: Ask
  /** Asked, and not yet moved away. */
  readonly #open = new Map<string, Promise<void>>()
  /** First sight of files that cannot be read yet. */
  readonly #suspects = new Map<string, number>()

  constructor(options: FileFeedOptions, ask: Ask) {
    this.#options = options
    this.#ask = ask
  }

  async settled(): Promise<void> {
    await Promise.all(this.#open.values())
  }

  async scan(): Promise<void> {
    let names: string[]
    try {
      const entries = await readdir(this.#options.folder, { withFileTypes: true })
      names = entries
        .filter((entry) => entry.isFile() && /\.(json|trigger)$/.test(entry.name))
        .map(({ name }) => name)
    } catch (error) {
      this.#refuse(`${this.#options.folder}: ${messageOf(error)}`)
      return
    }
    for (const name of this.#suspects.keys()) if (!names.includes(name)) this.#suspects.delete(name)
    for (const name of names.sort()) if (!this.#open.has(name)) await this.#take(name)
  }

  async #take(name: string): Promise<void> {
    try {
      const request = await readRequest(join(this.#options.folder, name))
      this.#suspects.delete(name)
      const { verdict } = this.#ask(request)
      this.#open.set(
        name,
        verdict.then(() => this.#move(name, 'done')),
      )
    } catch (error) {
      const now = this.#options.clock.now()
      const since = this.#suspects.get(name) ?? now
      this.#suspects.set(name, since)
      if (now - since < SETTLE_MS) return
      this.#refuse(`${name}: ${messageOf(error)}`)
      await this.#move(name, 'failed')
    }
  }

  /** A file that cannot be moved stays in `#open`: it must not ask again and again. */
  async #move(name: string, target: 'done' | 'failed'): Promise<void> {
    const { folder } = this.#options
    try {
      await rename(join(folder, name), join(folder, target, name))
      this.#open.delete(name)
      this.#suspects.delete(name)
    } catch (error) {
      this.#refuse(`${name} cannot be moved to ${target}: ${messageOf(error)}`)
      if (!this.#open.has(name)) this.#open.set(name, Promise.resolve())
      return
    }
    await prune(join(folder, target)).catch((error: unknown) => {
      this.#refuse(`${target}: old files cannot be removed: ${messageOf(error)}`)
    })
  }

  #refuse(detail: string): void {
    this.#options.onRefused({ source: 'file', detail })
  }
}

async function readRequest(file: string) {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    if (size > MAX_REQUEST_BYTES) {
      throw new RuntimeError('BAD_COMMAND', `${size} bytes, expected at most ${MAX_REQUEST_BYTES}`)
    }
    const text = await handle.readFile('utf8')
    const { name, ext } = parse(file)
    if (ext === '.json') return parseRequestJson(text, 'file')
    return text.trim() === '' ? parseRequest({ partId: name }, 'file') : parseRequestText(text, 'file')
  } finally {
    await handle.close()
  }
}

/** A line that runs for years must not fill the disk with its past. */
async function prune(folder: string): Promise<void> {
  const names = await readdir(folder)
  if (names.length <= MAX_KEPT_FILES * 1.1) return
  const ages = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(folder, name))).mtimeMs })),
  )
  ages.sort((a, b) => b.ms - a.ms)
  for (const { name } of ages.slice(MAX_KEPT_FILES)) await rm(join(folder, name), { force: true })
}
