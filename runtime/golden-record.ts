/** What the ledger keeps of a gate's golden parts, so that a later self-test can say how far their scores have moved. */
import * as z from 'zod'
import { DECIDABLE_CONDITIONS } from '../drivers/sample.ts'

const verdict = { outcome: z.enum(['pass', 'fail']), normality: z.number(), distance: z.number() }

export const goldenRecordSchema = z.object({
  gate: z.object({
    golden: z.array(
      z.object({
        partId: z.string(),
        label: z.enum(['good', 'bad']),
        condition: z.enum(DECIDABLE_CONDITIONS),
        isWidest: z.boolean(),
        ...verdict,
      }),
    ),
  }),
})
