/** A vendor's SDK in a process of its own: docs/bridges.md. */
import * as z from 'zod'
import { BridgeDriver } from '../../drivers/bridge.ts'
import { LARGEST_SIDE_PIXELS } from '../../drivers/bridge-protocol.ts'
import type { BridgeAddress } from '../../drivers/bridge-connection.ts'
import type { BridgeTrigger } from '../../drivers/bridge-session.ts'
import type { Driver } from '../../drivers/driver.ts'
import type { Modality } from '../../drivers/frame.ts'
import { sharedKeys } from './sensor.ts'

const word = z.string().min(1).max(4096)
const sidePixels = (side: string) =>
  z
    .int()
    .min(1)
    .max(LARGEST_SIDE_PIXELS)
    .optional()
    .describe(`${side} of the bridge's frames, pixels; others are refused. Any when absent.`)

export const bridgeSensor = (defaultName: string) =>
  z
    .strictObject({
      kind: z.literal('bridge'),
      ...sharedKeys(defaultName),
      command: z
        .array(word)
        .min(1)
        .max(64)
        .optional()
        .describe('The bridge program and its arguments, started by the daemon. No shell reads it.'),
      socket: word
        .max(107)
        .optional()
        .describe(
          'Unix socket where a bridge listens that somebody else starts. Either this or command. Relative to the config file.',
        ),
      trigger: z
        .enum(['software', 'hardware', 'free'])
        .default('software')
        .describe('Who asks for frames: the daemon, a line that pulses the device, or nobody.'),
      framesPerSecond: z
        .number()
        .min(0.01)
        .max(1000)
        .optional()
        .describe(
          'Rate of a bridge whose trigger is free: silence for three periods, 500 ms at least, is a loss.',
        ),
      width: sidePixels('Width'),
      height: sidePixels('Height'),
      settings: z
        .record(z.string().min(1).max(64), z.union([z.string().max(400), z.number(), z.boolean()]))
        .refine((settings) => Object.keys(settings).length <= 32, 'expected 32 settings at most')
        .default({})
        .describe('Told to the bridge as they stand; what they mean is in its own manual.'),
    })
    .superRefine((sensor, context) => {
      const refuse = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [key], message })
      if ((sensor.command === undefined) === (sensor.socket === undefined)) {
        refuse('command', 'expected either command or socket')
      }
      if ((sensor.trigger === 'free') !== (sensor.framesPerSecond !== undefined)) {
        refuse('framesPerSecond', 'expected with trigger free, and only then')
      }
      if ((sensor.width === undefined) !== (sensor.height === undefined)) {
        refuse('width', 'expected width and height, or neither')
      }
    })

export type BridgeSensor = z.infer<ReturnType<typeof bridgeSensor>>

export function makeBridge<M extends Modality>(sensor: BridgeSensor, modality: M): Driver<M> {
  const { name, width, height, settings } = sensor
  return new BridgeDriver({
    name,
    modality,
    address: addressOf(sensor),
    trigger: triggerOf(sensor),
    ...(width !== undefined && height !== undefined && { size: { width, height } }),
    settings,
  })
}

/** Paths as they are from here: a program with a / in its name, and the socket. */
export function bridgeAt(sensor: BridgeSensor, at: (path: string) => string): BridgeSensor {
  const [program, ...rest] = sensor.command ?? []
  return {
    ...sensor,
    ...(program !== undefined && { command: [program.includes('/') ? at(program) : program, ...rest] }),
    ...(sensor.socket !== undefined && { socket: at(sensor.socket) }),
  }
}

function addressOf({ command, socket }: BridgeSensor): BridgeAddress {
  if (socket !== undefined) return { socket }
  const [program, ...rest] = command ?? []
  if (program === undefined) throw new Error('a bridge has neither command nor socket; the schema forbids it')
  return { command: [program, ...rest] }
}

function triggerOf({ trigger, framesPerSecond }: BridgeSensor): BridgeTrigger {
  switch (trigger) {
    case 'software':
    case 'hardware':
      return { kind: trigger }
    case 'free':
      if (framesPerSecond === undefined) throw new Error('a free bridge has no rate; the schema forbids it')
      return { kind: trigger, framesPerSecond }
  }
}
