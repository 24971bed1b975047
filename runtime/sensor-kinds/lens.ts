/** The lens of a 3D sensor that sends depth alone, in the config. */
import * as z from 'zod'

const focalPixels = (axis: string) =>
  z.number().min(1).max(65_536).describe(`Focal length along a ${axis}, pixels of this map.`)
const principalPixels = (line: string) =>
  z
    .number()
    .min(-65_536)
    .max(65_536)
    .describe(`${line} of the optical axis, pixels; usually near the middle.`)

export const lens = z.strictObject({
  focalXPixels: focalPixels('row'),
  focalYPixels: focalPixels('column'),
  principalXPixels: principalPixels('Column'),
  principalYPixels: principalPixels('Row'),
})
