/**
 * GStreamer's data protocol (element gdppay), version 1.0: what goes down a pipeline, as packets of a 62-byte header and
 * a payload. It says what a bare stream of pixels cannot: the frames' size and format, where each one begins, its time
 * stamp, and that a decoder knows it to be damaged.
 */

export const GDP_HEADER_BYTES = 62

export interface GdpPacket {
  /** Everything but frames and their caps is an event: segments, tags, the end of the stream. */
  readonly kind: 'buffer' | 'caps' | 'event'
  /** Of the payload. */
  readonly bytes: number
  /** When the frame is to be shown, by the pipeline's clock, any zero point; absent when the source tells none. */
  readonly stampMs?: number
  readonly isCorrupted: boolean
}

const NO_STAMP = 2n ** 64n - 1n
const BUFFER = 1
const CAPS = 2
const EVENT = 64
/** GST_BUFFER_FLAG_CORRUPTED */
const CORRUPTED = 0x100

/** Undefined for bytes that are no such header. */
export function gdpPacketOf(header: Buffer): GdpPacket | undefined {
  const isVersion1 = header[0] === 1 && header[1] === 0
  const type = header.readUInt16BE(4)
  if (!isVersion1 || (type !== BUFFER && type !== CAPS && type < EVENT)) return undefined
  const stamp = header.readBigUInt64BE(10)
  return {
    kind: type === BUFFER ? 'buffer' : type === CAPS ? 'caps' : 'event',
    bytes: header.readUInt32BE(6),
    ...(stamp !== NO_STAMP && { stampMs: Number(stamp) / 1e6 }),
    isCorrupted: type === BUFFER && (header.readUInt16BE(42) & CORRUPTED) !== 0,
  }
}

/** What caps say of a picture. */
export interface VideoCaps {
  /** `video/x-raw`, or what else comes: `image/jpeg`, `video/x-raw(memory:NVMM)`. */
  readonly media: string
  readonly format?: string
  readonly width?: number
  readonly height?: number
  /** `bt709`, or `range:matrix:transfer:primaries` in GStreamer's numbers. */
  readonly colorimetry?: string
}

export function videoCapsOf(text: string): VideoCaps {
  const valueOf = (key: string): string | undefined =>
    new RegExp(`[,;] ?${key}=\\((?:string|int)\\)"?([^,;"]+)`).exec(text)?.[1]
  const [format, colorimetry] = [valueOf('format'), valueOf('colorimetry')]
  const [width, height] = [Number(valueOf('width')), Number(valueOf('height'))]
  return {
    media: /^[^,;]*(?:\([^)]*\))?/.exec(text)?.[0].trim() ?? '',
    ...(format !== undefined && { format }),
    ...(width > 0 && { width }),
    ...(height > 0 && { height }),
    ...(colorimetry !== undefined && { colorimetry }),
  }
}
