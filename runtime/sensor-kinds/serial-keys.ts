/** A serial port in the config: of a sensor, or of a link to the line. */
import * as z from 'zod'

export const serialKeys = {
  path: z
    .string()
    .min(1)
    .describe(
      'Serial port, best as /dev/serial/by-id/...: /dev/ttyUSB0 is another one after the next plugging in.',
    ),
  baudRate: z.int().min(300).max(12_000_000).default(115_200).describe('Bits per second.'),
  dataBits: z.literal([7, 8]).default(8).describe('Data bits of a character.'),
  parity: z.enum(['none', 'even', 'odd']).default('none').describe('Parity bit of a character.'),
  stopBits: z.literal([1, 2]).default(1).describe('Stop bits of a character.'),
  hardwareFlowControl: z.boolean().default(false).describe('RTS and CTS hold the sender back.'),
}
