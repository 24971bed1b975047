/** What every kind of sensor has in the config. */
import * as z from 'zod'
import type { Driver } from '../../drivers/driver.ts'
import type { Modality } from '../../drivers/frame.ts'

/** MQTT topic levels and folder names at once: no `/`, `+`, `#`, spaces or dots that could climb out of a folder. */
export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'expected letters, digits, - and _ (1 to 64 of them, a letter or digit first)',
  )

const fault = z
  .strictObject({
    from: z.int().min(1).max(1_000_000_000).describe('First trigger, counted from 1, that the fault hits.'),
    to: z.int().min(1).max(1_000_000_000).describe('Last trigger that the fault hits.'),
    kind: z
      .enum(['timeout', 'hang', 'crash', 'unplugged', 'frozen', 'bad', 'late'])
      .describe(
        'What the sensor does: answers too late, never answers, dies, is gone, repeats its pixels, sends rubbish, sends an old frame.',
      ),
  })
  .refine((value) => value.to >= value.from, { message: 'expected to >= from', path: ['to'] })

/** Keys that all kinds share; spread them into the kind's own strict object. */
export const sharedKeys = (defaultName: string) => ({
  name: name.default(defaultName).describe('Name of the sensor in health messages, verdicts and logs.'),
  deadlineMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(800)
    .describe('Longest wait for a frame; then the modality is missing for this trigger.'),
  openDeadlineMs: z
    .int()
    .min(100)
    .max(120_000)
    .default(10_000)
    .describe('Longest wait for the device to open.'),
  reopenFirstMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(500)
    .describe('Pause before a lost sensor is opened again; doubles with every failure.'),
  reopenMaxMs: z.int().min(10).max(600_000).default(2000).describe('Longest such pause.'),
  freezeCheck: z
    .boolean()
    .default(true)
    .describe(
      'Call a sensor frozen that repeats the same pixels. Turn off only for noiseless test patterns.',
    ),
  faults: z.array(fault).max(1000).default([]).describe('Scripted faults for drills and tests.'),
})

/** A kind of sensor that stands alone: from its section of the config to a closed driver. */
export type MakeDriver<C, M extends Modality> = (sensor: C) => Driver<M>
