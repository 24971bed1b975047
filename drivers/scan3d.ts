/** What the numbers of a GenICam 3D camera mean: from its Scan3d features and the config to points in metres. */
import { pointsFromDepth, pointsFromXyz, type Axis, type Lateral } from './depth-points.ts'
import { DriverError } from './driver.ts'
import type { FeatureReader } from './genicam-features.ts'
import { float32Of, uint16Of } from './raw-samples.ts'

/** PFNC codes. `Mono16` is how cameras without 3D formats send depth. */
const FORMATS = {
  0x011000b8: { name: 'Coord3D_C16', kind: 'depth16' },
  0x01100007: { name: 'Mono16', kind: 'depth16' },
  0x012000bf: { name: 'Coord3D_C32f', kind: 'depth32' },
  0x026000c0: { name: 'Coord3D_ABC32f', kind: 'points' },
} as const
type Format = (typeof FORMATS)[keyof typeof FORMATS]

export const POINT_FORMAT_NAMES: readonly string[] = Object.values(FORMATS).map(({ name }) => name)

export function pointFormatOf(pixelFormat: number): Format | undefined {
  return (FORMATS as Record<number, Format>)[pixelFormat]
}

/** coordinate = sample × scale + offset, in the camera's distance unit. */
interface CoordinateFeatures {
  readonly scale?: number
  readonly offset?: number
}

/** As the camera has them: absent where it does not. */
export interface Scan3dFeatures {
  readonly outputMode?: string
  readonly distanceUnit?: string
  readonly a: CoordinateFeatures
  readonly b: CoordinateFeatures
  readonly c: CoordinateFeatures
  /** Of coordinate C. */
  readonly invalidFlag?: boolean
  readonly invalidValue?: number
  readonly focalLengthPixels?: number
  readonly principalUPixels?: number
  readonly principalVPixels?: number
  readonly offsetXPixels?: number
  readonly offsetYPixels?: number
}

/** What the config says instead of the camera. */
export interface Scan3dOverrides {
  readonly metresPerUnit?: number
  /** Of depth, in the distance unit. */
  readonly depthScale?: number
  readonly depthOffset?: number
  readonly invalid?: number
  readonly lateral?: Lateral
}

export async function readScan3d(features: FeatureReader): Promise<Scan3dFeatures> {
  const coordinate = async (name: string): Promise<CoordinateFeatures> => {
    const hasSelector = await features.select('Scan3dCoordinateSelector', name)
    // Without a selector there is one set of numbers, and that is depth's.
    if (!hasSelector && name !== 'CoordinateC') return {}
    return defined({
      scale: await features.number('Scan3dCoordinateScale'),
      offset: await features.number('Scan3dCoordinateOffset'),
    })
  }
  const a = await coordinate('CoordinateA')
  const b = await coordinate('CoordinateB')
  // Last, so that what is read below is depth's.
  const c = await coordinate('CoordinateC')
  return {
    a,
    b,
    c,
    ...defined({
      outputMode: await features.text('Scan3dOutputMode'),
      distanceUnit: await features.text('Scan3dDistanceUnit'),
      invalidFlag: await features.flag('Scan3dInvalidDataFlag'),
      invalidValue: await features.number('Scan3dInvalidDataValue'),
      focalLengthPixels: await features.number('Scan3dFocalLength'),
      principalUPixels: await features.number('Scan3dPrincipalPointU'),
      principalVPixels: await features.number('Scan3dPrincipalPointV'),
      offsetXPixels: await features.number('OffsetX'),
      offsetYPixels: await features.number('OffsetY'),
    }),
  }
}

export interface RawPointImage {
  readonly pixelFormat: number
  readonly width: number
  readonly height: number
  readonly bytes: Uint8Array
}

/**
 * @param points zeros so far, three of each pixel
 * @returns it: metres, (0,0,0) where there is no point
 * @throws RangeError for an image of another kind
 */
export type PointDecoder = (image: RawPointImage, points?: Float32Array) => Float32Array

/** @throws DriverError `DRIVER_UNAVAILABLE` that says which feature or which key of the config is missing */
export function pointDecoder(
  pixelFormat: number,
  features: Scan3dFeatures,
  overrides: Scan3dOverrides = {},
): PointDecoder {
  const format = pointFormatOf(pixelFormat)
  if (format === undefined) {
    throw unavailable(`pixel format 0x${pixelFormat.toString(16)} holds no depth: set pixelFormat`)
  }
  if (features.outputMode?.startsWith('Disparity')) {
    throw unavailable(`Scan3dOutputMode is ${features.outputMode}: expected one with calibrated coordinates`)
  }
  const unit = overrides.metresPerUnit ?? metresPerUnit(features.distanceUnit)
  const axis = ({ scale = 1, offset = 0 }: CoordinateFeatures): Axis => ({
    scaleMetres: scale * unit,
    offsetMetres: offset * unit,
  })
  const depth = axis({
    scale: overrides.depthScale ?? features.c.scale ?? 1,
    offset: overrides.depthOffset ?? features.c.offset ?? 0,
  })
  const flagged = features.invalidFlag === true ? features.invalidValue : undefined
  const invalid = overrides.invalid ?? flagged
  const expectFormat = (image: RawPointImage): void => {
    if (image.pixelFormat === pixelFormat) return
    throw new RangeError(
      `the image is of format 0x${image.pixelFormat.toString(16)}, expected ${format.name}`,
    )
  }
  if (format.kind === 'points') {
    const axes = { x: axis(features.a), y: axis(features.b), z: depth, ...defined({ invalid }) }
    return (image, points) => {
      expectFormat(image)
      const expected = image.width * image.height * 3
      const samples = float32Of(image.bytes).subarray(0, expected)
      if (samples.length < expected) {
        throw new RangeError(`expected ${expected} coordinates, got ${samples.length}`)
      }
      return pointsFromXyz(samples, axes, points)
    }
  }
  const lateral = overrides.lateral ?? lateralOf(features, axis)
  return (image, points) => {
    expectFormat(image)
    const { width, height, bytes } = image
    const all = format.kind === 'depth16' ? uint16Of(bytes) : float32Of(bytes)
    const samples = all.subarray(0, width * height)
    return pointsFromDepth(samples, { width, height, depth, lateral, ...defined({ invalid }) }, points)
  }
}

function metresPerUnit(distanceUnit: string | undefined): number {
  switch (distanceUnit) {
    case undefined:
    case 'Millimeter':
      return 0.001
    case 'Inch':
      return 0.0254
    case 'Meter':
      return 1
    default:
      throw unavailable(`Scan3dDistanceUnit is ${distanceUnit}: set metresPerUnit`)
  }
}

/** Where the pixels of a depth-only image lie. */
function lateralOf(features: Scan3dFeatures, axis: (coordinate: CoordinateFeatures) => Axis): Lateral {
  const { a, b, outputMode = '', focalLengthPixels } = features
  const isResampled = outputMode.startsWith('Rectified') || outputMode.endsWith('Linescan')
  if (!isResampled && focalLengthPixels !== undefined && focalLengthPixels > 0) {
    const { principalUPixels, principalVPixels, offsetXPixels = 0, offsetYPixels = 0 } = features
    if (principalUPixels === undefined || principalVPixels === undefined) {
      throw unavailable('it tells its focal length and no principal point: set lens')
    }
    return {
      kind: 'pinhole',
      focalXPixels: focalLengthPixels,
      focalYPixels: focalLengthPixels,
      // Of the whole sensor, and the image may be a part of it.
      principalXPixels: principalUPixels - offsetXPixels,
      principalYPixels: principalVPixels - offsetYPixels,
    }
  }
  if (a.scale === undefined || b.scale === undefined) {
    throw unavailable(
      'it tells neither the scale of coordinates A and B nor its focal length: set lens or grid',
    )
  }
  return { kind: 'grid', x: axis(a), y: axis(b) }
}

function unavailable(why: string): DriverError {
  return new DriverError('DRIVER_UNAVAILABLE', `the 3D camera cannot be understood: ${why}`)
}

/** Without the properties that are undefined. */
function defined<T extends object>(properties: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(properties).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
