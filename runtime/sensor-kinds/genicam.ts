/** GigE Vision and USB3 Vision cameras: docs/genicam.md. */
import * as z from 'zod'
import type { Driver } from '../../drivers/driver.ts'
import { genicam } from '../../drivers/genicam.ts'
import type { GenicamCameraOptions, GenicamTrigger } from '../../drivers/genicam-camera.ts'
import { sharedKeys } from './sensor.ts'

const regionPixels = (what: string, least: number) =>
  z.int().min(least).max(65_536).describe(`${what}, pixels of the sensor.`)

/** Of cameras of both modalities. */
export const cameraKeys = {
  camera: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'IP address, MAC address, name that a user gave it, maker and serial number (Basler-23456789), or identity with the model as arv-tool-0.8 lists it. Absent: the first that is found, which is for trials only.',
    ),
  trigger: z
    .enum(['free-run', 'software', 'hardware'])
    .default('free-run')
    .describe(
      'free-run: the camera runs by itself, and silence for three periods, 500 ms at least, is a loss. software: each inspection sends the camera a command. hardware: a signal at triggerLine, seen by the daemon at the same time.',
    ),
  framesPerSecond: z
    .number()
    .min(0.01)
    .max(10_000)
    .optional()
    .describe('Rate of a free-running camera. Absent: as the camera is set.'),
  triggerLine: z
    .string()
    .regex(/^\w{1,64}$/, 'expected a name as the camera has it, e.g. Line1')
    .default('Line1')
    .describe('TriggerSource of a hardware trigger.'),
  triggerEdge: z
    .enum(['RisingEdge', 'FallingEdge', 'AnyEdge'])
    .default('RisingEdge')
    .describe('TriggerActivation of a hardware trigger.'),
  exposureUs: z
    .number()
    .min(1)
    .max(60_000_000)
    .optional()
    .describe('Exposure time, microseconds. Absent: as the camera is set.'),
  gain: z
    .number()
    .min(-100)
    .max(10_000)
    .optional()
    .describe('In the camera’s own unit, most often dB. Absent: as the camera is set.'),
  region: z
    .strictObject({
      leftPixels: regionPixels('First column', 0).default(0),
      topPixels: regionPixels('First row', 0).default(0),
      widthPixels: regionPixels('Columns', 1),
      heightPixels: regionPixels('Rows', 1),
    })
    .optional()
    .describe('Part of the sensor that is read. Absent: as the camera is set.'),
  packetBytes: z
    .union([z.literal('auto'), z.int().min(220).max(16_110)])
    .default('auto')
    .describe(
      'GigE Vision: size of the packets with their headers; auto takes the largest that the network passes.',
    ),
  packetDelayNs: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .optional()
    .describe('GigE Vision: pause between packets, nanoseconds, for cameras that share a link.'),
  pathMs: z
    .number()
    .min(0)
    .max(60_000)
    .optional()
    .describe(
      'From the start of exposure to the arrival of the frame’s first packet at best. Absent: an exposure is told as begun when that packet came, or the exposure time before the whole frame was there, whichever is earlier.',
    ),
  features: z
    .record(
      z.string().regex(/^\w{1,128}$/, 'expected the name of a feature'),
      z.union([z.string().max(1024), z.number().min(-1e15).max(1e15), z.boolean()]),
    )
    .default({})
    .describe(
      'Further features of the camera by name, set in this order after all others; true executes a command.',
    ),
}

type CameraSensor = z.infer<z.ZodObject<typeof cameraKeys>>

export const genicamSensor = z.strictObject({
  kind: z.literal('genicam'),
  ...sharedKeys('rgb'),
  ...cameraKeys,
  pixelFormat: z
    .string()
    .regex(/^\w{1,64}$/, 'expected a name as the camera has it, e.g. BayerRG8')
    .optional()
    .describe('PixelFormat: Mono, Bayer, RGB, BGR or YUV422. Absent: as the camera is set.'),
})

export function makeGenicam(sensor: z.infer<typeof genicamSensor>): Driver<'rgb'> {
  return genicam({ name: sensor.name, ...cameraOptions(sensor) })
}

/** Without what is absent: the camera keeps its own setting then. */
export function cameraOptions(
  sensor: CameraSensor & { readonly pixelFormat?: string | undefined },
): Omit<GenicamCameraOptions, 'sensor' | 'clock'> {
  const { camera, exposureUs, gain, region, packetBytes, packetDelayNs, pathMs, features, pixelFormat } =
    sensor
  return {
    trigger: triggerOf(sensor),
    packetBytes,
    features,
    ...(camera !== undefined && { camera }),
    ...(exposureUs !== undefined && { exposureMicroseconds: exposureUs }),
    ...(gain !== undefined && { gain }),
    ...(region !== undefined && { region }),
    ...(packetDelayNs !== undefined && { packetDelayNanoseconds: packetDelayNs }),
    ...(pathMs !== undefined && { pathMs }),
    ...(pixelFormat !== undefined && { pixelFormat }),
  }
}

function triggerOf(sensor: CameraSensor): GenicamTrigger {
  switch (sensor.trigger) {
    case 'free-run': {
      const { framesPerSecond } = sensor
      return { kind: 'free-run', ...(framesPerSecond !== undefined && { framesPerSecond }) }
    }
    case 'software':
      return { kind: 'software' }
    case 'hardware':
      return { kind: 'hardware', line: sensor.triggerLine, activation: sensor.triggerEdge }
  }
}
