/** 3D cameras of GigE Vision and USB3 Vision: docs/genicam.md. */
import * as z from 'zod'
import type { Axis, Lateral } from '../../drivers/depth-points.ts'
import type { Driver } from '../../drivers/driver.ts'
import { genicam3d } from '../../drivers/genicam3d.ts'
import type { Scan3dOverrides } from '../../drivers/scan3d.ts'
import { cameraKeys, cameraOptions } from './genicam.ts'
import { lens } from './lens.ts'
import { sharedKeys } from './sensor.ts'

const pitchMetres = (axis: string) =>
  z.number().min(-1).max(1).describe(`From one pixel to the next along a ${axis}, metres.`)
const firstMetres = (axis: string) =>
  z.number().min(-100).max(100).default(0).describe(`Where the first pixel of a ${axis} lies, metres.`)

export const genicam3dSensor = z
  .strictObject({
    kind: z.literal('genicam3d'),
    ...sharedKeys('xyz'),
    ...cameraKeys,
    pixelFormat: z
      .enum(['Coord3D_ABC32f', 'Coord3D_C32f', 'Coord3D_C16', 'Mono16'])
      .optional()
      .describe(
        'PixelFormat: points, or depth alone; Mono16 is read as depth. Absent: as the camera is set.',
      ),
    metresPerUnit: z
      .number()
      .min(1e-9)
      .max(1)
      .optional()
      .describe(
        'Metres in one distance unit. Absent: by Scan3dDistanceUnit, millimetres where it is missing, too.',
      ),
    depthScale: z
      .number()
      .min(-1e6)
      .max(1e6)
      .optional()
      .describe(
        'Distance units in one step of depth. Absent: Scan3dCoordinateScale, 1 where it is missing, too.',
      ),
    depthOffset: z
      .number()
      .min(-1e6)
      .max(1e6)
      .optional()
      .describe(
        'Depth of sample 0, distance units. Absent: Scan3dCoordinateOffset, 0 where it is missing, too.',
      ),
    invalidCode: z
      .number()
      .min(-1e9)
      .max(1e9)
      .optional()
      .describe(
        'Sample of depth of a pixel without a return, no unit. Absent: Scan3dInvalidDataValue where Scan3dInvalidDataFlag is set. NaN is without a return anyhow.',
      ),
    lens: lens
      .optional()
      .describe('For depth alone, seen through a lens. Absent: Scan3dFocalLength and Scan3dPrincipalPoint.'),
    grid: z
      .strictObject({
        pitchXMetres: pitchMetres('row'),
        pitchYMetres: pitchMetres('column'),
        firstXMetres: firstMetres('row'),
        firstYMetres: firstMetres('column'),
      })
      .optional()
      .describe('For depth alone, resampled evenly. Absent: scale and offset of coordinates A and B.'),
  })
  .refine((sensor) => sensor.lens === undefined || sensor.grid === undefined, {
    message: 'expected lens or grid, not both',
    path: ['grid'],
  })

type Genicam3dSensor = z.infer<typeof genicam3dSensor>

export function makeGenicam3d(sensor: Genicam3dSensor): Driver<'xyz'> {
  return genicam3d({ name: sensor.name, ...cameraOptions(sensor), overrides: overridesOf(sensor) })
}

function overridesOf(sensor: Genicam3dSensor): Scan3dOverrides {
  const { metresPerUnit, depthScale, depthOffset, invalidCode } = sensor
  const lateral = lateralOf(sensor)
  return {
    ...(metresPerUnit !== undefined && { metresPerUnit }),
    ...(depthScale !== undefined && { depthScale }),
    ...(depthOffset !== undefined && { depthOffset }),
    ...(invalidCode !== undefined && { invalid: invalidCode }),
    ...(lateral !== undefined && { lateral }),
  }
}

function lateralOf({ lens, grid }: Genicam3dSensor): Lateral | undefined {
  if (lens !== undefined) return { kind: 'pinhole', ...lens }
  if (grid === undefined) return undefined
  const axis = (scaleMetres: number, offsetMetres: number): Axis => ({ scaleMetres, offsetMetres })
  return {
    kind: 'grid',
    x: axis(grid.pitchXMetres, grid.firstXMetres),
    y: axis(grid.pitchYMetres, grid.firstYMetres),
  }
}
