/**
 * A handful of named files in one: a tar, written without times or owners so that equal contents are equal bytes, and read
 * as if whoever made it wished us ill. Nothing touches the disk, nothing is read past its bound, and an archive is exactly the
 * bytes that packing its contents gives: a link, a second name, a hidden extra or a byte behind the end cannot be in it.
 */
import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract, pack, type Extract, type Pack } from 'tar-stream'
import { ExchangeError, type ExchangeErrorCode } from './exchange-error.ts'

/** A tar is made of blocks; every entry has one for its header, the end is two of zeros. */
const BLOCK_BYTES = 512
const END_BYTES = 2 * BLOCK_BYTES

type Entry = Extract extends AsyncIterable<infer Each> ? Each : never

export interface ArchivedFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export async function packArchive(files: readonly ArchivedFile[]): Promise<Uint8Array> {
  return buffer(packed(files))
}

function packed(files: readonly ArchivedFile[]): Pack {
  const archive = pack()
  for (const { name, bytes } of files) {
    const header = { name, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) } as const
    archive.entry(header, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
  archive.finalize()
  return archive
}

export interface ArchiveOptions {
  /** Those that it must hold, in this order. */
  readonly names: readonly string[]
  /** Of the whole archive. */
  readonly mostBytes: number
  readonly signal?: AbortSignal
}

/** @throws ExchangeError before anything is read: no regular file, or larger than may be. */
export async function openArchive(file: string, options: ArchiveOptions): Promise<ArchiveReader> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const stat = await handle.stat()
    if (!stat.isFile()) throw new ExchangeError('ARCHIVE_UNREADABLE', `${file} is no file`)
    if (stat.size > options.mostBytes) {
      const found = `${file} has ${stat.size} bytes`
      throw new ExchangeError('ARCHIVE_OVERSIZED', `${found}, expected at most ${options.mostBytes}`)
    }
    return new ArchiveReader(file, options, flowOf(handle, stat.size, options.signal))
  } catch (cause) {
    await handle?.close()
    if (cause instanceof ExchangeError) throw cause
    throw new ExchangeError('ARCHIVE_UNREADABLE', `${file} cannot be opened`, { cause })
  }
}

/** A file on its way through the parser. */
interface Flow {
  readonly handle: FileHandle
  readonly size: number
  readonly tar: Extract
  /** Of every byte that has passed. */
  readonly hash: Hash
  /** Rejects when it cannot be read on. */
  readonly passed: Promise<void>
}

function flowOf(handle: FileHandle, size: number, signal: AbortSignal | undefined): Flow {
  const tar = extract()
  const hash = createHash('sha256')
  async function* hashed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
  const bytes = handle.createReadStream({ start: 0, autoClose: false })
  const passed = pipeline(bytes, hashed, tar, signal === undefined ? {} : { signal })
  // Told to whoever asks for the next entry.
  passed.catch(() => undefined)
  return { handle, size, tar, hash, passed }
}

/** Files are taken one by one, so that each can be judged by those before it. Every refusal is an ExchangeError. */
class ArchiveReader {
  readonly #file: string
  readonly #options: ArchiveOptions
  readonly #flow: Flow
  readonly #entries: AsyncIterator<Entry>
  readonly #taken: ArchivedFile[] = []
  /** Where the next header starts. */
  #position = 0
  #next: Entry | undefined

  constructor(file: string, options: ArchiveOptions, flow: Flow) {
    this.#file = file
    this.#options = options
    this.#flow = flow
    this.#entries = flow.tar[Symbol.asyncIterator]()
  }

  /** Whether the next file has this name. */
  async nextIs(name: string): Promise<boolean> {
    this.#next ??= await this.#nextEntry()
    return this.#next?.header.name === name
  }

  /** @param name the next one of the names. */
  async take(name: string, mostBytes: number): Promise<Uint8Array> {
    if (!(await this.nextIs(name))) {
      const found = this.#next === undefined ? 'its end' : quoted(this.#next.header.name)
      const code = this.#next === undefined ? 'ARCHIVE_TRUNCATED' : 'ARCHIVE_ENTRY'
      throw this.#refused(code, `expected '${name}', found ${found}`)
    }
    const entry = this.#next
    this.#next = undefined
    const size = entry?.header.size ?? 0
    if (size > mostBytes) {
      throw this.#refused('ARCHIVE_OVERSIZED', `'${name}' has ${size} bytes, expected at most ${mostBytes}`)
    }
    const contents = this.#position + BLOCK_BYTES
    this.#position = contents + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
    if (contents + size > this.#flow.size) {
      const left = Math.max(0, this.#flow.size - contents)
      throw this.#refused('ARCHIVE_TRUNCATED', `'${name}' should have ${size} bytes, ${left} are left`)
    }
    const bytes = new Uint8Array(size)
    let filled = 0
    try {
      for await (const chunk of bytesOf(entry ?? [])) {
        bytes.set(chunk, filled)
        filled += chunk.length
      }
    } catch (cause) {
      throw this.#broken(cause)
    }
    if (filled !== size) throw this.#refused('ARCHIVE_TRUNCATED', `'${name}' has ${filled} of ${size} bytes`)
    this.#taken.push({ name, bytes })
    return bytes
  }

  /** Nothing but what was taken is in it. */
  async end(): Promise<void> {
    const whole = this.#position + END_BYTES
    if (this.#flow.size < whole) {
      throw this.#refused(
        'ARCHIVE_TRUNCATED',
        `${this.#flow.size} bytes, expected ${whole} with those that mark its end`,
      )
    }
    if (this.#flow.size > whole) {
      throw this.#refused('ARCHIVE_TRAILING', `${this.#flow.size - whole} bytes behind its end`)
    }
    this.#next ??= await this.#nextEntry()
    if (this.#next !== undefined)
      throw this.#refused('ARCHIVE_ENTRY', `one more: ${quoted(this.#next.header.name)}`)
    await this.#flow.passed.catch((cause: unknown) => {
      throw this.#broken(cause)
    })
    const expected = createHash('sha256')
    for await (const chunk of bytesOf(packed(this.#taken))) expected.update(chunk)
    if (expected.digest('hex') !== this.#flow.hash.digest('hex')) {
      throw this.#refused('ARCHIVE_UNREADABLE', 'its headers are not those that packing its contents gives')
    }
  }

  async close(): Promise<void> {
    this.#flow.tar.destroy()
    await this.#flow.passed.catch(() => undefined)
    await this.#flow.handle.close()
  }

  async #nextEntry(): Promise<Entry | undefined> {
    let next: IteratorResult<Entry>
    try {
      next = await this.#entries.next()
    } catch (cause) {
      throw this.#broken(cause)
    }
    if (next.done === true) return undefined
    const reason = this.#strange(next.value)
    if (reason !== undefined) throw this.#refused('ARCHIVE_ENTRY', reason)
    return next.value
  }

  /** What is wrong with an entry, before a byte of it is read. */
  #strange({ header }: Entry): string | undefined {
    const { name, type, linkname, size, pax } = header
    if (type !== 'file') return `${quoted(name)} is a ${type ?? 'thing of unknown kind'}, expected a file`
    if (pax !== undefined && pax !== null) return `${quoted(name)} has an extended header`
    if (linkname !== undefined && linkname !== null) return `${quoted(name)} is a link`
    if (name.startsWith('/') || name.split(/[/\\]/).includes('..')) {
      return `${quoted(name)} leads out of the archive's own folder`
    }
    const { names } = this.#options
    if (!names.includes(name)) return `${quoted(name)}, expected nothing but ${names.join(', ')}`
    if (this.#taken.some((taken) => taken.name === name)) return `a second '${name}'`
    if (size === undefined || !Number.isSafeInteger(size)) return `'${name}' has ${size} bytes`
    return undefined
  }

  /** tar-stream's errors have no code: where it stopped tells a cut from nonsense. */
  #broken(cause: unknown): unknown {
    if (cause instanceof ExchangeError || this.#options.signal?.aborted === true) return cause
    const left = this.#flow.size - this.#position
    return this.#flow.size > 0 && left < END_BYTES
      ? this.#refused('ARCHIVE_TRUNCATED', `${left} bytes at its end, expected ${END_BYTES}`, cause)
      : this.#refused('ARCHIVE_UNREADABLE', 'it is no tar archive', cause)
  }

  #refused(code: ExchangeErrorCode, reason: string, cause?: unknown): ExchangeError {
    return new ExchangeError(code, `${this.#file}: ${reason}`, { cause })
  }
}

/** tar-stream's streams do not say what they are of. */
async function* bytesOf(stream: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('expected bytes')
    yield chunk
  }
}

/** A name from outside: no control characters for the terminal, no more than a line. */
function quoted(name: string): string {
  const whole = JSON.stringify(name.slice(0, 80))
  return name.length > 80 ? `${whole}...` : whole
}
