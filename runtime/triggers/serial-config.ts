import * as z from 'zod'

/** Text whose characters are bytes: in YAML "\r\n", "\x02". */
export const byteText = z
  .string()
  .min(1)
  .max(64)
  .refine((text) => [...text].every((character) => character.charCodeAt(0) <= 0xff), 'expected bytes')

export const serialTrigger = z
  .strictObject({
    kind: z.literal('serial'),
    link: z.string().describe('Name of the link.'),
    bytes: byteText
      .optional()
      .describe('Each appearance of these bytes is a trigger, e.g. "T" or "\\x02T\\x03" in double quotes.'),
    delimiter: byteText
      .optional()
      .describe('Each message that ends in these bytes is a trigger, e.g. "\\r\\n".'),
    prefix: byteText
      .optional()
      .describe('With delimiter: only messages that begin so; what follows is the part’s id.'),
    line: z
      .enum(['cts', 'dsr', 'dcd'])
      .optional()
      .describe('Edges of this input line are triggers, where the port has one.'),
    edge: z.enum(['rising', 'falling']).default('rising').describe('Which edges of the line.'),
    pollEveryMs: z
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .describe('Period in which the line is looked at; shorter pulses are not seen.'),
    debounceMs: z
      .int()
      .min(0)
      .max(10_000)
      .default(20)
      .describe('After an edge of the line others count only after this time.'),
  })
  .superRefine(({ bytes, delimiter, prefix, line }, context) => {
    const ways = [bytes, delimiter, line].filter((way) => way !== undefined)
    if (ways.length !== 1) {
      context.addIssue({ code: 'custom', message: 'expected one of bytes, delimiter and line' })
    }
    if (prefix !== undefined && delimiter === undefined) {
      context.addIssue({ code: 'custom', path: ['prefix'], message: 'expected delimiter beside it' })
    }
  })

export type SerialTriggerConfig = z.infer<typeof serialTrigger>
