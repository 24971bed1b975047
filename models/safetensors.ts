/**
 * A reader and a writer of safetensors: an 8-byte little-endian header length, a JSON header, then the raw tensors.
 * Own code because npm has no maintained reader that is strict about what a damaged or hostile file can say; the format
 * is small. Spec: huggingface/safetensors README, "Format"; this reader refuses whatever the reference refuses.
 */
import * as z from 'zod'

/** `data` is row-major and owned by the caller. Element types that this project has no use for are refused. */
export type SafeTensor = { readonly shape: readonly number[] } & (
  | { readonly dtype: 'F32'; readonly data: Float32Array }
  | { readonly dtype: 'F64'; readonly data: Float64Array }
  | { readonly dtype: 'I32'; readonly data: Int32Array }
  | { readonly dtype: 'I64'; readonly data: BigInt64Array }
  | { readonly dtype: 'U8'; readonly data: Uint8Array }
)

export type SafetensorsErrorCode = 'SAFETENSORS_INVALID' | 'SAFETENSORS_UNSUPPORTED'

export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError'
  readonly code: SafetensorsErrorCode

  constructor(code: SafetensorsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The reference refuses longer headers too: a damaged length must not make us parse gigabytes. */
const MAX_HEADER_BYTES = 100_000_000
const LENGTH_BYTES = 8

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
})
const headerSchema = z.record(z.string(), z.unknown())
const metadataSchema = z.record(z.string(), z.string())

const ELEMENT_BYTES = { F32: 4, F64: 8, I32: 4, I64: 8, U8: 1 } as const
type ElementType = keyof typeof ELEMENT_BYTES
const isElementType = (dtype: string): dtype is ElementType => Object.hasOwn(ELEMENT_BYTES, dtype)

/**
 * @returns every tensor of the file by name, each in memory of its own.
 * @throws SafetensorsError `SAFETENSORS_INVALID` for a file that breaks the format (lengths, overlaps, holes, shapes),
 * `SAFETENSORS_UNSUPPORTED` for a sound file with an element type that this project has no use for.
 */
export function readSafetensors(bytes: Uint8Array): Map<string, SafeTensor> {
  const { header, dataStart } = readHeader(bytes)
  const dataBytes = bytes.byteLength - dataStart
  const tensors = new Map<string, SafeTensor>()
  const ranges: { name: string; begin: number; end: number }[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!metadataSchema.safeParse(value).success) throw invalid('__metadata__ is not a map of strings')
      continue
    }
    const parsed = entrySchema.safeParse(value)
    if (!parsed.success) throw invalid(`tensor '${name}': ${z.prettifyError(parsed.error)}`)
    const { dtype, shape, data_offsets: offsets } = parsed.data
    const [begin, end] = offsets
    if (begin > end || end > dataBytes) {
      throw invalid(`tensor '${name}' lies at bytes ${begin}..${end} of ${dataBytes}`)
    }
    if (!isElementType(dtype)) {
      throw new SafetensorsError(
        'SAFETENSORS_UNSUPPORTED',
        `tensor '${name}' has element type ${dtype}, expected one of ${Object.keys(ELEMENT_BYTES).join(', ')}`,
      )
    }
    const needed = elementsOf(shape) * ELEMENT_BYTES[dtype]
    if (needed !== end - begin) {
      throw invalid(
        `tensor '${name}', ${dtype} [${shape.join(', ')}], needs ${needed} bytes, has ${end - begin}`,
      )
    }
    ranges.push({ name, begin, end })
    // A copy, aligned: a Buffer's own `slice` would share the file's memory.
    tensors.set(
      name,
      decode(dtype, shape, new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end))),
    )
  }
  checkTiling(ranges, dataBytes)
  return tensors
}

/** @returns a file whose bytes depend only on the tensors and their order. */
export function writeSafetensors(tensors: ReadonlyMap<string, SafeTensor>): Uint8Array {
  const header: Record<string, unknown> = {}
  let offset = 0
  for (const [name, { dtype, shape, data }] of tensors) {
    if (elementsOf(shape) !== data.length) {
      throw invalid(`tensor '${name}' of shape [${shape.join(', ')}] was given ${data.length} elements`)
    }
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  // Spaces after the JSON keep the data 8-byte aligned, as the reference writer does.
  const headerBytes = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(LENGTH_BYTES + headerBytes + offset).fill(
    0x20,
    LENGTH_BYTES,
    LENGTH_BYTES + headerBytes,
  )
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true)
  bytes.set(json, LENGTH_BYTES)
  let position = LENGTH_BYTES + headerBytes
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position)
    position += data.byteLength
  }
  return bytes
}

function readHeader(bytes: Uint8Array) {
  if (bytes.byteLength < LENGTH_BYTES)
    throw invalid(`the file has ${bytes.byteLength} bytes, too few for a header`)
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true)
  if (length > MAX_HEADER_BYTES || LENGTH_BYTES + Number(length) > bytes.byteLength) {
    throw invalid(`the header claims ${length} bytes, the file has ${bytes.byteLength}`)
  }
  const dataStart = LENGTH_BYTES + Number(length)
  let json: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(LENGTH_BYTES, dataStart))
    if (!text.startsWith('{')) throw new SyntaxError('the header does not start with {')
    json = JSON.parse(text)
  } catch (cause) {
    throw invalid('the header is not JSON', { cause })
  }
  const header = headerSchema.safeParse(json)
  if (!header.success) throw invalid('the header is not a JSON object')
  return { header: header.data, dataStart }
}

/** Every byte of the data belongs to exactly one tensor: no overlaps, no holes, nothing hidden behind the last. */
function checkTiling(ranges: { name: string; begin: number; end: number }[], dataBytes: number): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let position = 0
  for (const { name, begin, end } of ranges) {
    if (begin !== position) throw invalid(`tensor '${name}' starts at byte ${begin}, expected ${position}`)
    position = end
  }
  if (position !== dataBytes) throw invalid(`the tensors end at byte ${position} of ${dataBytes}`)
}

/** @param bytes a copy, so that its buffer starts at offset 0 and is aligned for every element type. */
function decode(dtype: ElementType, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>): SafeTensor {
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data: new Float32Array(bytes.buffer) }
    case 'F64':
      return { dtype, shape, data: new Float64Array(bytes.buffer) }
    case 'I32':
      return { dtype, shape, data: new Int32Array(bytes.buffer) }
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(bytes.buffer) }
    case 'U8':
      return { dtype, shape, data: bytes }
  }
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function invalid(message: string, options?: ErrorOptions): SafetensorsError {
  return new SafetensorsError('SAFETENSORS_INVALID', message, options)
}
