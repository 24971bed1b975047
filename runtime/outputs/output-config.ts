/** What the station tells the line of each verdict, in the config. */
import * as z from 'zod'
import { byteText } from '../triggers/serial-config.ts'

const signal = z.enum(['reject', 'accept', 'nothing'])
const sharedKeys = {
  link: z.string().describe('Name of the link.'),
  unknown: signal
    .default('reject')
    .describe('What a part whose outcome is unknown counts as, unless the recipe rejects it.'),
  review: signal.default('reject').describe('What a part for review counts as.'),
}

const serial = z
  .strictObject({
    kind: z.literal('serial'),
    ...sharedKeys,
    signals: z.enum(['reject', 'accept']).default('reject').describe('Which parts get a pulse.'),
    bytes: byteText.optional().describe('Sent as the pulse begins, e.g. "R\\r\\n" in double quotes.'),
    endBytes: byteText
      .optional()
      .describe('Sent pulseMs later, at each opening of the port, and when the station stops.'),
    line: z.enum(['dtr', 'rts']).optional().describe('Output line that is pulsed, where the port has one.'),
    active: z
      .enum(['off', 'on'])
      .default('off')
      .describe(
        'State of the line in the pulse. The system turns both lines on as the port opens and off as it goes: with on, that is a pulse.',
      ),
    pulseMs: z.int().min(1).max(10_000).default(50).describe('Length of the pulse.'),
    delayMs: z
      .int()
      .min(0)
      .max(600_000)
      .optional()
      .describe(
        'From the trigger to the pulse: the way to the ejector. Without it the pulse comes with the verdict.',
      ),
    lateMs: z
      .int()
      .min(0)
      .max(10_000)
      .default(10)
      .describe('A pulse that would come later than this after delayMs is not given: the part is gone.'),
    maxWaiting: z
      .int()
      .min(1)
      .max(10_000)
      .default(256)
      .describe('Pulses that may wait for their parts; one more is not given, and an event tells.'),
  })
  .superRefine(({ bytes, line, endBytes }, context) => {
    if ((bytes === undefined) === (line === undefined)) {
      context.addIssue({ code: 'custom', message: 'expected one of bytes and line' })
    }
    if (endBytes !== undefined && bytes === undefined) {
      context.addIssue({ code: 'custom', path: ['endBytes'], message: 'expected bytes beside it' })
    }
  })

const modbus = z.strictObject({
  kind: z.literal('modbus'),
  ...sharedKeys,
  verdictRegister: z
    .int()
    .min(0)
    .max(65_534)
    .describe(
      'Holding register, counted from 0: 1 accept, 2 reject. The next one has the verdict’s number, modulo 65536.',
    ),
  latestMs: z
    .int()
    .min(10)
    .max(600_000)
    .optional()
    .describe('A verdict later than this after its trigger is not written: the part is gone.'),
})

export const output = z.discriminatedUnion('kind', [serial, modbus])
export type OutputConfig = z.infer<typeof output>
export type SerialOutputConfig = z.infer<typeof serial>
export type ModbusOutputConfig = z.infer<typeof modbus>
