/**
 * The frame protocol that bridges speak: docs/bridge-protocol.md is its specification. A stream of messages, each a header
 * of 128 bytes and a payload, each with its CRC-32. Bytes that are no message end the stream: a reader that looked for
 * the next magic number would sooner or later find it inside a picture.
 */
import { crc32 } from 'node:zlib'

export const BRIDGE_PROTOCOL_VERSION = 1
export const BRIDGE_HEADER_BYTES = 128
export const BRIDGE_MAGIC = Buffer.from('RDRB')
/** Of hello, log and telemetry. */
export const LARGEST_TEXT_BYTES = 65_536
export const LARGEST_SIDE_PIXELS = 16_384

const HAS_INVALID_CODE = 1

export const BRIDGE_FORMATS = {
  Mono8: { code: 1, bytesPerPixel: 1, modality: 'rgb' },
  RGB8: { code: 2, bytesPerPixel: 3, modality: 'rgb' },
  C16: { code: 3, bytesPerPixel: 2, modality: 'xyz' },
  C32f: { code: 4, bytesPerPixel: 4, modality: 'xyz' },
  ABC32f: { code: 5, bytesPerPixel: 12, modality: 'xyz' },
} as const

export type BridgeFormat = keyof typeof BRIDGE_FORMATS
/** x, y, z. */
export type Axes = readonly [number, number, number]

const TEXT_KINDS = { 1: 'hello', 3: 'log', 4: 'telemetry' } as const
const FRAME_KIND = 2

export interface BridgeText {
  readonly kind: 'hello' | 'log' | 'telemetry'
  readonly payloadBytes: number
}

export interface BridgeFrameHeader {
  readonly kind: 'frame'
  readonly format: BridgeFormat
  readonly width: number
  readonly height: number
  /** Counts exposures. */
  readonly sequence: number
  /** The number of the trigger that it answers; 0 for a frame that came by itself. */
  readonly trigger: number
  /** Start of exposure by the clock that hello names, milliseconds; 0 if there is none. */
  readonly stampMs: number
  /** Metres are `raw * scale + offset`. Where a format has no raw x and y, see `focal`. */
  readonly scale: Axes
  readonly offset: Axes
  /** The raw z (C) of a pixel without a point, beside NaN and infinity. */
  readonly invalid?: number
  /** Pinhole, pixels. Absent: x and y are column and row by scale and offset, as for line profilers. */
  readonly focal?: { readonly x: number; readonly y: number }
  /** Pixels from the centre of the upper left one. */
  readonly centre: { readonly x: number; readonly y: number }
  readonly payloadBytes: number
}

export type BridgeHeader = BridgeText | BridgeFrameHeader

export type BridgeFaultCode = 'magic' | 'version' | 'header-crc' | 'field' | 'size' | 'payload-crc' | 'text'

/** The stream cannot be read any further. */
export class BridgeProtocolError extends Error {
  override readonly name = 'BridgeProtocolError'
  readonly code: BridgeFaultCode

  constructor(code: BridgeFaultCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface BridgeReader {
  /** A header came: where its payload goes, exactly `payloadBytes` long; undefined when nobody needs it. */
  begin(header: BridgeHeader): Uint8Array | undefined
  /** Its payload came whole and is what was sent. */
  end(header: BridgeHeader, payload: Uint8Array | undefined): void
}

/** Bytes in, messages out. What has come of a message is copied once, to where it stays. */
export class BridgeParser {
  readonly #reader: BridgeReader
  readonly #largestPayloadBytes: number
  readonly #bytes = Buffer.alloc(BRIDGE_HEADER_BYTES)
  #headerBytes = 0
  #header: BridgeHeader | undefined
  #payload: Uint8Array | undefined
  #payloadBytes = 0
  #crc = 0
  #broken: BridgeProtocolError | undefined

  constructor(largestPayloadBytes: number, reader: BridgeReader) {
    this.#largestPayloadBytes = largestPayloadBytes
    this.#reader = reader
  }

  /** A message has begun and is not whole. */
  get isWithinMessage(): boolean {
    return this.#headerBytes > 0
  }

  /** @throws BridgeProtocolError; from then on always the same one. */
  push(chunk: Uint8Array): void {
    if (this.#broken !== undefined) throw this.#broken
    try {
      for (let at = 0; at < chunk.length;) {
        at += this.#header === undefined ? this.#takeHeader(chunk, at) : this.#takePayload(chunk, at)
      }
    } catch (error) {
      if (error instanceof BridgeProtocolError) this.#broken = error
      throw error
    }
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + BRIDGE_HEADER_BYTES - this.#headerBytes)
    this.#bytes.set(part, this.#headerBytes)
    this.#headerBytes += part.length
    const magic = this.#bytes.subarray(0, Math.min(this.#headerBytes, BRIDGE_MAGIC.length))
    // At once: garbage may be shorter than a header, and nothing may follow it.
    if (!magic.equals(BRIDGE_MAGIC.subarray(0, magic.length))) throw noMagic(this.#bytes, this.#headerBytes)
    if (this.#headerBytes < BRIDGE_HEADER_BYTES) return part.length
    const header = readHeader(this.#bytes, this.#largestPayloadBytes)
    this.#header = header
    this.#payload = this.#reader.begin(header)
    this.#payloadBytes = 0
    this.#crc = 0
    if (header.payloadBytes === 0) this.#end(header)
    return part.length
  }

  #takePayload(chunk: Uint8Array, at: number): number {
    const header = this.#header!
    const part = chunk.subarray(at, at + header.payloadBytes - this.#payloadBytes)
    this.#crc = crc32(part, this.#crc)
    this.#payload?.set(part, this.#payloadBytes)
    this.#payloadBytes += part.length
    if (this.#payloadBytes === header.payloadBytes) this.#end(header)
    return part.length
  }

  #end(header: BridgeHeader): void {
    const expected = this.#bytes.readUInt32LE(120)
    if (this.#crc !== expected) {
      const detail = `sent ${describe(header)} whose payload has CRC ${hex(this.#crc)}, its header says ${hex(expected)}: bytes are missing or foreign`
      throw new BridgeProtocolError('payload-crc', detail)
    }
    const payload = this.#payload
    this.#header = undefined
    this.#payload = undefined
    this.#headerBytes = 0
    this.#reader.end(header, payload)
  }
}

function noMagic(bytes: Buffer, length: number): BridgeProtocolError {
  const start = bytes.subarray(0, length)
  const text = start.toString('latin1').replace(/[^ -~]/g, '.')
  const shown = `${start.subarray(0, 16).toString('hex')} '${text.slice(0, 40)}'`
  return new BridgeProtocolError('magic', `sent ${shown} where a message must begin with 'RDRB'`)
}

function readHeader(bytes: Buffer, largestPayloadBytes: number): BridgeHeader {
  const version = bytes.readUInt16LE(4)
  const headerBytes = bytes.readUInt16LE(6)
  if (version !== BRIDGE_PROTOCOL_VERSION || headerBytes !== BRIDGE_HEADER_BYTES) {
    const expected = `version ${BRIDGE_PROTOCOL_VERSION} with ${BRIDGE_HEADER_BYTES}`
    const detail = `speaks version ${version} of the protocol with headers of ${headerBytes} bytes, expected ${expected}`
    throw new BridgeProtocolError('version', detail)
  }
  const crc = crc32(bytes.subarray(0, 124))
  const expected = bytes.readUInt32LE(124)
  if (crc !== expected) {
    throw new BridgeProtocolError(
      'header-crc',
      `sent a header that has CRC ${hex(crc)}, but says ${hex(expected)}`,
    )
  }
  const kind = bytes.readUInt16LE(8)
  if (kind === FRAME_KIND) return readFrameHeader(bytes, largestPayloadBytes)
  const text = TEXT_KINDS[kind as keyof typeof TEXT_KINDS]
  if (text === undefined) throw badField(`kind ${kind}`, '1 to 4')
  const payloadBytes = bytes.readUInt32LE(116)
  if (payloadBytes > LARGEST_TEXT_BYTES) {
    const detail = `sent a ${text} of ${payloadBytes} bytes, expected ${LARGEST_TEXT_BYTES} at most`
    throw new BridgeProtocolError('size', detail)
  }
  return { kind: text, payloadBytes }
}

function readFrameHeader(bytes: Buffer, largestPayloadBytes: number): BridgeFrameHeader {
  const format = formatOf(bytes.readUInt16LE(10))
  const width = bytes.readUInt32LE(16)
  const height = bytes.readUInt32LE(20)
  const sides = [width, height]
  if (sides.some((side) => side < 1 || side > LARGEST_SIDE_PIXELS)) {
    throw badField(`size ${width}x${height}`, `1 to ${LARGEST_SIDE_PIXELS} each`)
  }
  const payloadBytes = bytes.readUInt32LE(116)
  const wholeBytes = width * height * BRIDGE_FORMATS[format].bytesPerPixel
  if (payloadBytes !== wholeBytes) {
    const detail = `sent ${payloadBytes} bytes for ${width}x${height} ${format}, expected ${wholeBytes}`
    throw new BridgeProtocolError('size', detail)
  }
  if (payloadBytes > largestPayloadBytes) {
    const detail = `sent a frame of ${payloadBytes} bytes, expected ${largestPayloadBytes} at most`
    throw new BridgeProtocolError('size', detail)
  }
  const axes = (at: number): Axes => [
    bytes.readDoubleLE(at),
    bytes.readDoubleLE(at + 8),
    bytes.readDoubleLE(at + 16),
  ]
  const scale = axes(48)
  const offset = axes(72)
  const focal = { x: bytes.readFloatLE(100), y: bytes.readFloatLE(104) }
  const centre = { x: bytes.readFloatLE(108), y: bytes.readFloatLE(112) }
  if (BRIDGE_FORMATS[format].modality === 'xyz') {
    if (!scale.every((value) => Number.isFinite(value) && value !== 0)) {
      throw badField(`scale ${scale.join(', ')}`, 'three finite numbers other than 0')
    }
    if (!offset.every(Number.isFinite)) throw badField(`offset ${offset.join(', ')}`, 'three finite numbers')
    const lens = [focal.x, focal.y, centre.x, centre.y]
    if (!lens.every(Number.isFinite) || focal.x < 0 || focal.y < 0 || (focal.x === 0) !== (focal.y === 0)) {
      throw badField(
        `focal length and centre ${lens.join(', ')}`,
        'finite numbers, both focal lengths above 0 or both 0',
      )
    }
  }
  const hasInvalid = (bytes.readUInt32LE(12) & HAS_INVALID_CODE) !== 0
  return {
    kind: 'frame',
    format,
    width,
    height,
    sequence: wholeNumber(bytes, 24, 'sequence'),
    trigger: wholeNumber(bytes, 32, 'trigger'),
    stampMs: Number(bytes.readBigUInt64LE(40)) / 1e6,
    scale,
    offset,
    ...(hasInvalid && { invalid: bytes.readFloatLE(96) }),
    ...(focal.x > 0 && { focal }),
    centre,
    payloadBytes,
  }
}

function formatOf(code: number): BridgeFormat {
  for (const format of Object.keys(BRIDGE_FORMATS) as BridgeFormat[]) {
    if (BRIDGE_FORMATS[format].code === code) return format
  }
  throw badField(`format ${code}`, '1 to 5')
}

function wholeNumber(bytes: Buffer, at: number, field: string): number {
  const value = Number(bytes.readBigUInt64LE(at))
  if (!Number.isSafeInteger(value)) throw badField(`${field} ${value}`, 'at most 2^53 - 1')
  return value
}

function badField(found: string, expected: string): BridgeProtocolError {
  return new BridgeProtocolError('field', `sent a header with ${found}, expected ${expected}`)
}

function describe(header: BridgeHeader): string {
  return header.kind === 'frame' ? `frame ${header.sequence}` : `a ${header.kind}`
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0')
