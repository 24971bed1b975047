/**
 * Pictures of GenICam cameras: GigE Vision and USB3 Vision. Tested against Aravis' fake GigE Vision camera over a real
 * network (test/integration/genicam.realtime.ts); no real camera has been tried yet.
 */
import { DriverError, type Driver } from './driver.ts'
import { GenicamDriver, type GenicamDriverOptions } from './genicam-driver.ts'
import { isPictureFormat, PICTURE_FORMAT_NAMES, rgbOf } from './genicam-pixels.ts'

export type GenicamOptions = Omit<GenicamDriverOptions<'rgb'>, 'modality' | 'prepare'>

export function genicam(options: GenicamOptions): Driver<'rgb'> {
  return new GenicamDriver({
    ...options,
    modality: 'rgb',
    async prepare({ features }) {
      const pixelFormat = await features.number('PixelFormat')
      // Codes with the highest bit set come as negative from 32-bit registers.
      if (pixelFormat !== undefined && !isPictureFormat(pixelFormat >>> 0)) {
        const name = (await features.text('PixelFormat')) ?? pixelFormat
        throw new DriverError(
          'DRIVER_UNAVAILABLE',
          `${options.name} sends ${name}; set pixelFormat to one of ${PICTURE_FORMAT_NAMES.join(', ')}`,
        )
      }
      return (image, memory) => ({ pixels: rgbOf(image.bytes, image, memory) })
    },
  })
}
