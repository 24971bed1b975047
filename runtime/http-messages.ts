/** What the HTTP interface takes and gives. Within `/api/v1` an answer only ever gains fields; whoever reads ignores those it does not know. */
import * as z from 'zod'
import { DECIDABLE_CONDITIONS } from '../drivers/sample.ts'
import { LEDGER_ACTIONS } from './ledger.ts'
import { replySchema } from './messages.ts'
import { historyCommandSchema } from './operations.ts'

const time = z.iso.datetime().describe('ISO 8601, UTC.')
const outcome = z.enum(['pass', 'fail', 'unknown'])
const condition = z.enum([...DECIDABLE_CONDITIONS, 'none'])
const confirmed = z.enum(['none', 'accepted', 'lot'])
const count = z.int().min(0)
const share = z.number().min(0).max(1)
/** Longer than any name that a line gives a part. */
const MOST_CHARACTERS = 1000
const word = z.string().min(1).max(MOST_CHARACTERS)

export const noParameters = z.strictObject({})

export const partPathSchema = z.strictObject({ triggerId: word.describe('As the verdict carries it.') })

/** What a query says is text. */
const wholeNumber = (schema: z.ZodType<number, number>) => z.coerce.number().pipe(schema)

const { limit: entries, before } = historyCommandSchema.shape
export const historyQuerySchema = z.strictObject({
  limit: wholeNumber(entries.unwrap()).default(20).describe('Most entries of the history.'),
  before: z.exactOptional(wholeNumber(before.unwrap())).describe('Only entries with a smaller seq.'),
})

/** Everything that is given must hold. */
export const partsQuerySchema = z.strictObject({
  product: z.exactOptional(word).describe('Without it parts of every product.'),
  outcome: z.exactOptional(outcome),
  condition: z.exactOptional(condition),
  confirmed: z.exactOptional(confirmed),
  from: z.exactOptional(time).describe('Of the verdict, included; ISO 8601, UTC.'),
  to: z.exactOptional(time).describe('Of the verdict, included; ISO 8601, UTC.'),
  text: z
    .exactOptional(z.string().max(200))
    .describe("Each of its words occurs in the part's id, the trigger's id or a flag."),
  limit: wholeNumber(z.int().min(1).max(1000)).default(100),
})

export const partSchema = z
  .object({
    triggerId: z.string(),
    seq: z.int().describe('Of the verdict.'),
    product: z.string(),
    time: time.describe('Of the verdict.'),
    partId: z.exactOptional(z.string()).describe("The line's name for the part."),
    outcome,
    condition,
    normality: z.exactOptional(share).describe('The score of the verdict.'),
    distance: z.exactOptional(z.number()),
    repositoryId: z.exactOptional(z.string()).describe('What decided.'),
    flags: z.array(z.string()).readonly(),
    degraded: z.boolean(),
    confirmed: confirmed.describe('accepted: a person called it good. lot: the lot was called good.'),
    confirmedBy: z.exactOptional(z.string()),
    confirmedWhy: z.exactOptional(z.string()),
    confirmedAt: z.exactOptional(time),
    used: z
      .exactOptional(z.string())
      .describe('The candidate repository that learned from it, or why none will.'),
    hasFeatures: z.boolean().describe('A repository can learn from it.'),
    hasFrames: z
      .boolean()
      .describe('It has a picture; unless nothing was decided, also heatmap and overlay.'),
    bytes: count,
  })
  .describe('A part that the archive keeps.')

export const partsSchema = z.object({ parts: z.array(partSchema).readonly().describe('Newest first.') })

export const ledgerEntrySchema = z
  .object({
    seq: z.int(),
    time,
    product: z.string(),
    action: z.enum(LEDGER_ACTIONS),
    repositoryId: z.exactOptional(z.string()),
    previousId: z.exactOptional(z.string()).describe('In use until then.'),
    who: z.string(),
    why: z.string(),
    figures: z.exactOptional(z.record(z.string(), z.unknown()).readonly()),
  })
  .describe('What happened to a repository.')

const predicted = z.object({ rate: share, lower: share, upper: share })

export const repositorySchema = z
  .object({
    repositoryId: z.string(),
    product: z.string(),
    state: z.enum(['in-use', 'was-in-use', 'candidate', 'refused', 'imported', 'not-in-ledger']),
    madeAt: time,
    bytes: count,
    who: z.exactOptional(z.string()).describe('Of the entry that made its state.'),
    why: z.exactOptional(z.string()),
    at: z.exactOptional(time),
    gate: z
      .exactOptional(
        z.object({
          passed: z.boolean(),
          unguarded: z.boolean().describe('No bad golden part was there to guard it.'),
          checks: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string() })).readonly(),
          golden: z.object({ right: count, total: count }).describe('Golden verdicts, over all conditions.'),
        }),
      )
      .describe('The last time that the gate saw it.'),
    problem: z
      .exactOptional(z.string())
      .describe('Why it cannot be believed; the fields below are absent then.'),
    made: z.exactOptional(z.enum(['taught', 'updated', 'compacted', 'rebuilt'])),
    parent: z.exactOptional(z.string()),
    taught: z.exactOptional(count).describe('Parts in its banks.'),
    heldOut: z.exactOptional(count).describe('Parts that only calibrate it.'),
    falseRejectRate: z.exactOptional(share).describe('What it promises.'),
    predictedFalseRejects: z.exactOptional(
      z.object({ complete: predicted, 'rgb-only': predicted, 'xyz-only': predicted }),
    ),
    entries: count.describe('Of its history.'),
  })
  .describe('A repository that is kept.')

export const repositoriesSchema = z.object({
  product: z.string(),
  active: z.exactOptional(z.string()).describe('Id of the repository in use.'),
  repositories: z
    .array(repositorySchema)
    .readonly()
    .describe('The one in use, then the newest. Those of state candidate and imported wait for cmd/promote.'),
  history: z.array(ledgerEntrySchema).readonly().describe('Of the product, newest first.'),
})

export const healthSchema = z.record(z.string(), z.unknown()).describe('What the station says of itself.')

export const commandReplySchema = replySchema
  .pick({ status: true, transaction: true, data: true, error: true })
  .describe('As over MQTT, without what names the station.')

export const refusalSchema = z
  .object({
    status: z.literal('error'),
    transaction: z.string().optional().describe('Echo of the command.'),
    error: z.object({
      code: z.string().describe('Decide on it.'),
      detail: z.string().describe('For a person.'),
    }),
  })
  .describe('Why there is no answer.')
