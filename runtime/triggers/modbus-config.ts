import * as z from 'zod'

const address = z.int().min(0).max(65_535)

export const modbusTrigger = z.strictObject({
  kind: z.literal('modbus'),
  link: z.string().describe('Name of the link.'),
  table: z
    .enum(['holding-register', 'input-register', 'coil', 'discrete-input'])
    .default('holding-register')
    .describe('Where the trigger stands.'),
  address: address.describe(
    'Of the trigger, counted from 0. Another value than before that is not 0 is a part.',
  ),
  acknowledgeRegister: address
    .optional()
    .describe(
      'Holding register into which the trigger’s value is written when it was taken. Without it the PLC must hold a value for two periods, and parts during an outage are not inspected.',
    ),
  pollEveryMs: z.int().min(1).max(10_000).default(10).describe('Period in which the trigger is read.'),
})

export type ModbusTriggerConfig = z.infer<typeof modbusTrigger>
