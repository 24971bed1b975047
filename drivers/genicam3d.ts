/**
 * Point maps of GenICam 3D cameras: depth and points over GigE Vision and USB3 Vision. Tested against a fake GigE Vision
 * camera over a real network (test/integration/genicam.realtime.ts); no real camera has been tried yet.
 */
import { DriverError, type Driver } from './driver.ts'
import { GenicamDriver, type GenicamDriverOptions } from './genicam-driver.ts'
import { float32Of } from './raw-samples.ts'
import {
  pointDecoder,
  pointFormatOf,
  POINT_FORMAT_NAMES,
  readScan3d,
  type Scan3dOverrides,
} from './scan3d.ts'

export interface Genicam3dOptions extends Omit<GenicamDriverOptions<'xyz'>, 'modality' | 'prepare'> {
  readonly overrides?: Scan3dOverrides
}

export function genicam3d({ overrides, ...options }: Genicam3dOptions): Driver<'xyz'> {
  return new GenicamDriver({
    ...options,
    modality: 'xyz',
    async prepare({ features }) {
      const pixelFormat = ((await features.number('PixelFormat')) ?? 0) >>> 0
      if (pointFormatOf(pixelFormat) === undefined) {
        const name = (await features.text('PixelFormat')) ?? `0x${pixelFormat.toString(16)}`
        throw new DriverError(
          'DRIVER_UNAVAILABLE',
          `${options.name} sends ${name}; set pixelFormat to one of ${POINT_FORMAT_NAMES.join(', ')}`,
        )
      }
      const decode = pointDecoder(pixelFormat, await readScan3d(features), overrides)
      return (image, memory) => ({ pointsMetres: decode(image, float32Of(memory)) })
    },
  })
}
