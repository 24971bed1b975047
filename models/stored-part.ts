/**
 * One part on disk, whatever it is kept for: golden, taught, confirmed or rejected. Immutable; a folder with part.json, which
 * names the hash and size of every other file, and with what there is of frames.safetensors (as they were captured, reduced),
 * features.safetensors (what the encoders said of them) and marks.safetensors (what was drawn upon them: defect mask, map).
 * Frames are read again years later by a version that does not exist yet: nothing of a sensor's clock is kept.
 */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import * as z from 'zod'
import type { Truth } from '../drivers/driver.ts'
import { messageOf } from '../drivers/message-of.ts'
import {
  conditionOf,
  DECIDABLE_CONDITIONS,
  modalitiesOf,
  type Condition,
  type DecidableCondition,
  type Sample,
} from '../drivers/sample.ts'
import { contentId } from './content-id.ts'
import { writeFolder, type FileSystem } from './durable-folder.ts'
import { GRID_PATCHES, INPUT_SIZE, type Features, type Placement } from './features.ts'
import { readSafetensors, writeSafetensors, type SafeTensor } from './safetensors.ts'
import { schemaOf } from './schema-of.ts'

export interface StoredPart {
  readonly partId: string
  readonly product: string
  /** Wall clock, ISO 8601, UTC. */
  readonly capturedAt: string
  /** What a person or the line said of it, not what the model says. */
  readonly label: 'good' | 'bad' | 'unknown'
  readonly defect?: string
  /** What it was inspected as; narrower than its frames when preprocessing rejected one. */
  readonly condition: Condition
  readonly absent: Sample['absent']
  readonly flags: readonly string[]
  /** Reduced (reduce.ts). Neither, when only its features were worth the space. */
  readonly frames: Sample['frames']
  readonly features?: StoredFeatures
  readonly mask?: Truth['mask']
  readonly map?: StoredMap
  /** What else whoever stored it wants to find again. */
  readonly note?: Readonly<Record<string, string | number | boolean>>
}

/** Features of another bundle or engine are not comparable. */
export type StoredFeatures = Features & { readonly bundleId: string; readonly engine: string }

/** An inspection's map and where it lies in the frame as it was captured: enough to draw the heatmap again. */
export interface StoredMap {
  /** `224 * 224`, 1.0 = the map threshold. */
  readonly values: Float32Array
  readonly placement: Placement
}

/** What part.json says of a part: reading it is cheap, and believing it needs no other file. */
export interface PartRecord {
  readonly partId: string
  readonly product: string
  readonly capturedAt: string
  readonly label: StoredPart['label']
  readonly defect?: string
  readonly condition: Condition
  readonly absent: Sample['absent']
  readonly flags: readonly string[]
  readonly note?: Readonly<Record<string, string | number | boolean>>
  /** There when the frames are. Equal for equal frames, whatever sensor or count they bear: a part that is there twice. */
  readonly framesSha256?: string
  /** There when the features are. */
  readonly features?: {
    readonly condition: DecidableCondition
    readonly bundleId: string
    readonly engine: string
    readonly sha256: string
  }
  /** Of all its files together. */
  readonly bytes: number
}

export type PartErrorCode =
  /** A file is absent, damaged, tampered with, or not what part.json says. */
  | 'PART_UNREADABLE'
  /** What was to be stored contradicts itself: a frame of another size than it says, features without a modality. */
  | 'PART_REFUSED'
  /** There is no such part on the shelf. */
  | 'PART_UNKNOWN'
  /** The shelf has no room for this part and may not give up another. */
  | 'SHELF_FULL'

export class PartError extends Error {
  override readonly name = 'PartError'
  readonly code: PartErrorCode

  constructor(code: PartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export const PART_SCHEMA = 'radar-edge/part@1'

const PART_FILE = 'part.json'
const FILES = {
  frames: 'frames.safetensors',
  features: 'features.safetensors',
  marks: 'marks.safetensors',
} as const

const HASHED_AT_ONCE = 2 ** 19

/** Bounds for what a foreign file may make us read; a pair of 12 megapixels, unreduced, has 180 MB. */
const MOST_PART_JSON_BYTES = 2 ** 20
const MOST_FILE_BYTES = 2 ** 30

const text = z.string().min(1).max(1000)
const side = z.int().min(1).max(65_536)
const width = z.int().min(1).max(65_536)
const absence = z.strictObject({
  reason: z.enum(['timeout', 'lost', 'frozen', 'bad-frame', 'stale', 'rejected']),
  detail: z.string(),
})
const file = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex'),
  bytes: z.int().min(1).max(MOST_FILE_BYTES),
})
const frame = z.strictObject({ sensor: text, sequence: z.int(), width: side, height: side })
/** Files are named by the program and never by part.json: a name in it could lead anywhere. */
const partSchema = z.strictObject({
  schema: z.literal(PART_SCHEMA),
  partId: text,
  product: text,
  capturedAt: z.iso.datetime(),
  label: z.enum(['good', 'bad', 'unknown']),
  defect: z.exactOptional(text),
  condition: z.enum([...DECIDABLE_CONDITIONS, 'none']),
  absent: z.strictObject({ rgb: z.exactOptional(absence), xyz: z.exactOptional(absence) }),
  flags: z.array(z.string()).max(1000),
  frames: z.exactOptional(
    z.strictObject({ ...file.shape, rgb: z.exactOptional(frame), xyz: z.exactOptional(frame) }),
  ),
  features: z.exactOptional(
    z.strictObject({
      ...file.shape,
      condition: z.enum(DECIDABLE_CONDITIONS),
      bundleId: text,
      engine: text,
      rgbWidth: z.exactOptional(width),
      xyzWidth: z.exactOptional(width),
    }),
  ),
  marks: z.exactOptional(
    z.strictObject({
      ...file.shape,
      mask: z.exactOptional(z.strictObject({ width: side, height: side })),
      map: z.exactOptional(
        z.strictObject({
          frameWidth: side,
          frameHeight: side,
          side,
          padTop: z.int().nonnegative(),
          padLeft: z.int().nonnegative(),
        }),
      ),
    }),
  ),
  note: z.exactOptional(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))),
})
type PartJson = z.infer<typeof partSchema>
const fileSchema = z.strictObject({ id: z.string(), ...partSchema.shape })

type Tensors = Map<string, SafeTensor>

/** A part as it will lie on the disk, and what will be said of it there. */
export interface EncodedPart {
  readonly contents: ReadonlyMap<string, Uint8Array>
  readonly record: PartRecord
}

/**
 * Lets others have the thread now and then: a verdict may be due while a part is put away.
 * @throws PartError `PART_REFUSED` for a part that contradicts itself.
 */
export async function encodePart(part: StoredPart): Promise<EncodedPart> {
  const { partId, product, capturedAt, label, defect, condition, absent, flags, features, note } = part
  const contents = new Map<string, Uint8Array>()
  const addFile = async (name: string, tensors: Tensors) => {
    const bytes = writeSafetensors(tensors)
    contents.set(name, bytes)
    return { sha256: await hashInSteps(bytes), bytes: bytes.length }
  }
  const frames = frameTensors(part)
  const marks = markTensors(part)
  const parsed = partSchema.safeParse({
    schema: PART_SCHEMA,
    partId,
    product,
    capturedAt,
    label,
    ...(defect !== undefined && { defect }),
    condition,
    absent,
    flags,
    ...(frames.size > 0 && {
      frames: { ...(await addFile(FILES.frames, frames)), ...headersOf(part.frames) },
    }),
    ...(features && {
      features: {
        ...(await addFile(FILES.features, featureTensors(part, features))),
        condition: features.condition,
        bundleId: features.bundleId,
        engine: features.engine,
        ...(features.rgb && { rgbWidth: features.rgb.width }),
        ...(features.xyz && { xyzWidth: features.xyz.width }),
      },
    }),
    ...(marks.size > 0 && {
      marks: {
        ...(await addFile(FILES.marks, marks)),
        ...(part.mask && { mask: { width: part.mask.width, height: part.mask.height } }),
        ...(part.map && { map: part.map.placement }),
      },
    }),
    ...(note && { note }),
  })
  if (!parsed.success) throw refused(part, z.prettifyError(parsed.error))
  const json = Buffer.from(`${JSON.stringify({ id: contentId(parsed.data), ...parsed.data }, null, 2)}\n`)
  contents.set(PART_FILE, json)
  return { contents, record: recordOf(parsed.data, json.length) }
}

/**
 * @param folder is created whole or not at all; it must not exist.
 * @throws PartError `PART_REFUSED`; the disk's own error when there is no room.
 */
export async function saveStoredPart(
  folder: string,
  part: StoredPart,
  fileSystem?: FileSystem,
): Promise<PartRecord> {
  const { contents, record } = await encodePart(part)
  await writeFolder(folder, contents, fileSystem)
  return record
}

/** @throws PartError `PART_UNREADABLE`. */
export async function readPartRecord(folder: string): Promise<PartRecord> {
  const { json, bytes } = await readPartJson(folder)
  return recordOf(json, bytes)
}

/**
 * @param what `features` leaves frames, mask and map where they are.
 * @throws PartError `PART_UNREADABLE`.
 */
export async function loadStoredPart(folder: string, what: 'features' | 'all'): Promise<StoredPart> {
  const { json } = await readPartJson(folder)
  const frames = what === 'all' && json.frames
  const marks = what === 'all' && json.marks
  return {
    ...saidOf(json),
    frames: frames
      ? await readTensors(folder, { name: FILES.frames, ...frames }, (read) => framesOf(frames, read))
      : {},
    ...(json.features && { features: await readFeatures(folder, json.features) }),
    ...(marks &&
      (await readTensors(folder, { name: FILES.marks, ...marks }, (read) => marksOf(marks, read)))),
  }
}

/**
 * The part as if it had just been captured.
 * @param atMs of its trigger and exposures, on the monotonic clock.
 */
export function sampleOfStored(part: StoredPart, atMs = performance.now()): Sample {
  const { rgb, xyz } = part.frames
  return {
    trigger: { id: part.partId, atMs, source: 'bench', partId: part.partId },
    frames: {
      ...(rgb && { rgb: { ...rgb, exposedAtMs: atMs } }),
      ...(xyz && { xyz: { ...xyz, exposedAtMs: atMs } }),
    },
    // A frame that preprocessing rejected is here, and will be rejected again.
    absent: {
      ...(!rgb && part.absent.rgb && { rgb: part.absent.rgb }),
      ...(!xyz && part.absent.xyz && { xyz: part.absent.xyz }),
    },
    condition: conditionOf(part.frames),
  }
}

/** SHA-256 in hex, half a millisecond at a time. */
async function hashInSteps(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  for (let from = 0; from < bytes.length; from += HASHED_AT_ONCE) {
    await setImmediate()
    hash.update(bytes.subarray(from, from + HASHED_AT_ONCE))
  }
  return hash.digest('hex')
}

function frameTensors(part: StoredPart): Tensors {
  const tensors: Tensors = new Map()
  const { rgb, xyz } = part.frames
  if (rgb) {
    const shape = [rgb.height, rgb.width, 3]
    checkLength(part, { what: 'the rgb frame', found: rgb.pixels.length, shape })
    tensors.set('rgb', { dtype: 'U8', shape, data: rgb.pixels })
  }
  if (xyz) {
    const shape = [xyz.height, xyz.width, 3]
    checkLength(part, { what: 'the xyz frame', found: xyz.pointsMetres.length, shape })
    tensors.set('xyz', { dtype: 'F32', shape, data: xyz.pointsMetres })
  }
  return tensors
}

function featureTensors(part: StoredPart, features: Features): Tensors {
  const tensors: Tensors = new Map()
  for (const modality of ['rgb', 'xyz'] as const) {
    const grid = features[modality]
    const isExpected = modalitiesOf(features.condition).includes(modality)
    if ((grid !== undefined) !== isExpected) {
      const which = isExpected ? 'no' : 'also'
      throw refused(part, `its features are of condition ${features.condition} and have ${which} ${modality}`)
    }
    if (!grid) continue
    const shape = [GRID_PATCHES, grid.width]
    checkLength(part, { what: `its ${modality} features`, found: grid.values.length, shape })
    tensors.set(modality, { dtype: 'F32', shape, data: grid.values })
  }
  const { foregroundPatches: data } = features
  const shape = [GRID_PATCHES]
  checkLength(part, { what: 'the foreground of its features', found: data.length, shape })
  return tensors.set('foreground', { dtype: 'U8', shape, data })
}

function markTensors(part: StoredPart): Tensors {
  const tensors: Tensors = new Map()
  const { mask, map } = part
  if (mask) {
    const shape = [mask.height, mask.width]
    checkLength(part, { what: 'the mask', found: mask.pixels.length, shape })
    tensors.set('mask', { dtype: 'U8', shape, data: mask.pixels })
  }
  if (map) {
    const shape = [INPUT_SIZE, INPUT_SIZE]
    checkLength(part, { what: 'the map', found: map.values.length, shape })
    tensors.set('map', { dtype: 'F32', shape, data: map.values })
  }
  return tensors
}

function headersOf({ rgb, xyz }: Sample['frames']) {
  const headerOf = ({ sensor, sequence, width, height }: z.infer<typeof frame>) => ({
    sensor,
    sequence,
    width,
    height,
  })
  return { ...(rgb && { rgb: headerOf(rgb) }), ...(xyz && { xyz: headerOf(xyz) }) }
}

function checkLength(
  part: StoredPart,
  { what, found, shape }: { what: string; found: number; shape: readonly number[] },
): void {
  if (shape.reduce((product, size) => product * size, 1) === found) return
  throw refused(part, `${what} has ${found} values, expected ${shape.join(' x ')}`)
}

/** What part.json says by itself. */
function saidOf({ partId, product, capturedAt, label, defect, condition, absent, flags, note }: PartJson) {
  return {
    partId,
    product,
    capturedAt,
    label,
    ...(defect !== undefined && { defect }),
    condition,
    absent,
    flags,
    ...(note && { note }),
  }
}

function recordOf(json: PartJson, jsonBytes: number): PartRecord {
  const { frames, features, marks } = json
  return {
    ...saidOf(json),
    ...(frames && { framesSha256: frames.sha256 }),
    ...(features && {
      features: {
        condition: features.condition,
        bundleId: features.bundleId,
        engine: features.engine,
        sha256: features.sha256,
      },
    }),
    bytes: jsonBytes + (frames?.bytes ?? 0) + (features?.bytes ?? 0) + (marks?.bytes ?? 0),
  }
}

async function readPartJson(folder: string): Promise<{ json: PartJson; bytes: number }> {
  const name = path.join(folder, PART_FILE)
  const bytes = await readBounded(
    name,
    (size) => size <= MOST_PART_JSON_BYTES,
    `${MOST_PART_JSON_BYTES} at most`,
  )
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw unreadable(`${name} is not JSON`, cause)
  }
  const schema = schemaOf(json)
  if (schema !== PART_SCHEMA) {
    throw unreadable(`${name} is of schema '${schema.slice(0, 100)}', this version needs ${PART_SCHEMA}`)
  }
  const parsed = fileSchema.safeParse(json)
  if (!parsed.success) throw unreadable(`${name} describes no part: ${z.prettifyError(parsed.error)}`)
  const { id, ...part } = parsed.data
  if (contentId(part) !== id) {
    throw unreadable(`${name} was changed: its contents are not those of its id ${id.slice(0, 64)}`)
  }
  return { json: part, bytes: bytes.length }
}

/** What was read and not yet believed: each tensor must be what part.json says. */
interface Reading {
  bytes(name: string, shape: readonly number[]): Uint8Array
  floats(name: string, shape: readonly number[]): Float32Array
}

async function readTensors<Result>(
  folder: string,
  expected: { name: string; sha256: string; bytes: number },
  decode: (read: Reading) => Result,
): Promise<Result> {
  const name = path.join(folder, expected.name)
  const bytes = await readBounded(name, (size) => size === expected.bytes, `${expected.bytes}`)
  const found = await hashInSteps(bytes)
  if (found !== expected.sha256) {
    throw unreadable(`${name} has SHA-256 ${found}, ${PART_FILE} says ${expected.sha256}`)
  }
  try {
    const tensors = readSafetensors(bytes)
    return decode({
      bytes: (key, shape) => {
        const tensor = tensors.get(key)
        if (tensor?.dtype === 'U8' && tensor.shape.join() === shape.join()) return tensor.data
        throw new Error(`'${key}' is not U8 [${shape.join(', ')}]`)
      },
      floats: (key, shape) => {
        const tensor = tensors.get(key)
        if (tensor?.dtype === 'F32' && tensor.shape.join() === shape.join()) return tensor.data
        throw new Error(`'${key}' is not F32 [${shape.join(', ')}]`)
      },
    })
  } catch (cause) {
    throw unreadable(`${name} does not hold what ${PART_FILE} says: ${messageOf(cause)}`, cause)
  }
}

async function readFeatures(
  folder: string,
  expected: NonNullable<PartJson['features']>,
): Promise<StoredFeatures> {
  const { condition, bundleId, engine, rgbWidth, xyzWidth } = expected
  return readTensors(folder, { name: FILES.features, ...expected }, (read) => {
    const gridOf = (name: string, width: number) => ({
      width,
      values: read.floats(name, [GRID_PATCHES, width]),
    })
    if (conditionOf({ rgb: rgbWidth, xyz: xyzWidth }) !== condition) {
      throw new Error(`its modalities are not those of condition ${condition}`)
    }
    return {
      condition,
      ...(rgbWidth !== undefined && { rgb: gridOf('rgb', rgbWidth) }),
      ...(xyzWidth !== undefined && { xyz: gridOf('xyz', xyzWidth) }),
      foregroundPatches: read.bytes('foreground', [GRID_PATCHES]),
      bundleId,
      engine,
    }
  })
}

function framesOf({ rgb, xyz }: NonNullable<PartJson['frames']>, read: Reading): StoredPart['frames'] {
  return {
    ...(rgb && {
      rgb: {
        modality: 'rgb' as const,
        ...rgb,
        exposedAtMs: 0,
        pixels: read.bytes('rgb', [rgb.height, rgb.width, 3]),
      },
    }),
    ...(xyz && {
      xyz: {
        modality: 'xyz' as const,
        ...xyz,
        exposedAtMs: 0,
        pointsMetres: read.floats('xyz', [xyz.height, xyz.width, 3]),
      },
    }),
  }
}

function marksOf(
  { mask, map }: NonNullable<PartJson['marks']>,
  read: Reading,
): Pick<StoredPart, 'mask' | 'map'> {
  return {
    ...(mask && { mask: { ...mask, pixels: read.bytes('mask', [mask.height, mask.width]) } }),
    ...(map && { map: { values: read.floats('map', [INPUT_SIZE, INPUT_SIZE]), placement: map } }),
  }
}

/** Asks for the size before the bytes: a damaged or hostile folder can hold a file of any length. */
async function readBounded(
  name: string,
  fits: (size: number) => boolean,
  expected: string,
): Promise<Uint8Array> {
  try {
    const about = await stat(name)
    if (!about.isFile()) throw new Error('it is no file')
    if (!fits(about.size)) throw new Error(`it has ${about.size} bytes, expected ${expected}`)
    return await readFile(name)
  } catch (cause) {
    throw unreadable(`${name} cannot be read: ${messageOf(cause)}`, cause)
  }
}

function refused({ partId }: StoredPart, why: string): PartError {
  return new PartError('PART_REFUSED', `part '${partId}' cannot be stored: ${why}`)
}

function unreadable(message: string, cause?: unknown): PartError {
  return new PartError('PART_UNREADABLE', message, { cause })
}
