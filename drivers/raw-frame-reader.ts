/**
 * Cuts the bytes of a pipeline into frames, each byte copied once, straight into its frame. Bytes come in pieces of
 * 64 KiB: 432 of them are a frame of 28 MB.
 */
import { GDP_HEADER_BYTES, gdpPacketOf, videoCapsOf, type GdpPacket } from './gdp.ts'
import { colorimetryOf, usualColorimetry, type Colorimetry, type RawLayout } from './pixel-formats.ts'

/** A frame of the expected layout, or why it is none. */
export type RawFrame =
  | { readonly bytes: Uint8Array; readonly colorimetry: Colorimetry; readonly stampMs?: number }
  | { readonly refusal: string; readonly stampMs?: number }

export interface RawFrameReaderOptions {
  readonly layout: RawLayout
  /** `gdp`: packets that say what they are. `bare`: one frame after the other, and nothing tells where one begins. */
  readonly framing: 'gdp' | 'bare'
  /** Gives `layout.frameBytes` to fill. */
  allocate(): Uint8Array
  onFrame(frame: RawFrame): void
  /** The bytes mean nothing, from here on. Once. */
  onBroken(detail: string): void
}

/** Caps of video are some 200 characters. */
const LONGEST_CAPS_BYTES = 65_536

/** What is being read: into a buffer, or past it. */
interface Part {
  readonly bytes: number
  readonly into?: Uint8Array
  done(): void
}

export class RawFrameReader {
  readonly #options: RawFrameReaderOptions
  readonly #header = Buffer.alloc(GDP_HEADER_BYTES)
  #part: Part
  #filled = 0
  #isBroken = false
  #mismatch: string | undefined
  #colorimetry: Colorimetry
  #caps = ''

  constructor(options: RawFrameReaderOptions) {
    this.#options = options
    this.#colorimetry = usualColorimetry(options.layout.height)
    this.#part = this.#nextPart()
  }

  /** Of the pipeline's last caps; empty before the first frame and with bare frames. */
  get caps(): string {
    return this.#caps
  }

  /** A frame has begun and is not yet whole. */
  get isAmidFrame(): boolean {
    return this.#filled > 0 && this.#part.into !== this.#header
  }

  read(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length && !this.#isBroken) {
      const { bytes, into, done } = this.#part
      const taken = Math.min(chunk.length - at, bytes - this.#filled)
      into?.set(chunk.subarray(at, at + taken), this.#filled)
      at += taken
      this.#filled += taken
      if (this.#filled < bytes) return
      this.#filled = 0
      done()
    }
  }

  #nextPart(): Part {
    if (this.#options.framing === 'gdp') {
      return { bytes: GDP_HEADER_BYTES, into: this.#header, done: () => this.#readHeader() }
    }
    const into = this.#options.allocate()
    const { frameBytes } = this.#options.layout
    return {
      bytes: frameBytes,
      into,
      done: () => this.#finish({ bytes: into, colorimetry: this.#colorimetry }),
    }
  }

  #finish(frame: RawFrame): void {
    this.#options.onFrame(frame)
    this.#part = this.#nextPart()
  }

  #readHeader(): void {
    const packet = gdpPacketOf(this.#header)
    if (packet === undefined || (packet.kind === 'caps' && packet.bytes > LONGEST_CAPS_BYTES)) {
      this.#isBroken = true
      const start = this.#header.subarray(0, 8).toString('hex')
      this.#options.onBroken(`expected a packet of gdppay, got bytes that begin with ${start}`)
      return
    }
    this.#part = this.#payloadOf(packet)
    if (this.#part.bytes === 0) this.#part.done()
  }

  #payloadOf({ kind, bytes, stampMs, isCorrupted }: GdpPacket): Part {
    const next = (): void => void (this.#part = this.#nextPart())
    if (kind === 'event') return { bytes, done: next }
    if (kind === 'caps') {
      const into = Buffer.alloc(bytes)
      const done = (): void => {
        this.#readCaps(into.toString('latin1'))
        next()
      }
      return { bytes, into, done }
    }
    const stamp = stampMs === undefined ? {} : { stampMs }
    const refusal = this.#refusalOf(bytes, isCorrupted)
    // Read past it: whatever its length, nothing is allocated for it.
    if (refusal !== undefined) return { bytes, done: () => this.#finish({ refusal, ...stamp }) }
    const into = this.#options.allocate()
    return {
      bytes,
      into,
      done: () => this.#finish({ bytes: into, colorimetry: this.#colorimetry, ...stamp }),
    }
  }

  #refusalOf(bytes: number, isCorrupted: boolean): string | undefined {
    if (this.#mismatch !== undefined) return this.#mismatch
    if (isCorrupted) return 'was damaged on its way, its decoder says'
    const { frameBytes, rowBytes, height, format } = this.#options.layout
    if (bytes === frameBytes) return undefined
    const rows = (frameBytes / rowBytes) | 0
    const hint = bytes % rows === 0 && bytes > frameBytes ? `: rows of ${bytes / rows} bytes (rowBytes)?` : ''
    return `has ${bytes} bytes, expected ${frameBytes} (${format}, ${height} rows of ${rowBytes} bytes)${hint}`
  }

  #readCaps(text: string): void {
    this.#caps = text.replace(/\0.*/s, '')
    const caps = videoCapsOf(this.#caps)
    const { format, width, height } = this.#options.layout
    const got = `${caps.format ?? caps.media} ${caps.width}x${caps.height}`
    const isExpected = caps.media === 'video/x-raw' && got === `${format} ${width}x${height}`
    const what = caps.media === 'video/x-raw' ? got : caps.media
    this.#mismatch = isExpected ? undefined : `is ${what}, the config says ${format} ${width}x${height}`
    this.#colorimetry = colorimetryOf(caps.colorimetry, height)
  }
}
