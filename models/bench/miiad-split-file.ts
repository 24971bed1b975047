/** Splits as a file: every part's condition spelled out, so that another bench can use ours, and ours another's. */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { DECIDABLE_CONDITIONS } from '../../drivers/sample.ts'
import { fullPartId, MISSING_KINDS, MISSING_PLACES, type Split, type SplitPart } from './miiad-split.ts'

const splitSchema = z
  .strictObject({
    kind: z.enum(MISSING_KINDS),
    rate: z.number().min(0).max(1),
    where: z.enum(MISSING_PLACES),
    /** Of the sampler; 0 when it had none. */
    seed: z.int().min(0),
    conditions: z.record(z.string().min(1), z.enum(DECIDABLE_CONDITIONS)),
  })
  .refine(({ kind, rate }) => (kind === 'none') === (rate === 0), {
    error: "kind 'none' and a rate of 0 are the same thing and come together",
  })

export const splitFileSchema = z.strictObject({
  schema: z.literal('radar-edge/miiad-splits@1'),
  /** By which rule the parts were chosen: ours, or any text. */
  rule: z.string().min(1),
  dataset: z.string().min(1),
  splits: z.array(splitSchema).min(1),
})
export type SplitFile = z.infer<typeof splitFileSchema>

/** The file is not there, no split file, or not for these parts. */
export class SplitError extends Error {
  override readonly name = 'SplitError'
  readonly code: 'SPLIT_UNREADABLE' | 'SPLIT_MISMATCH'

  constructor(code: SplitError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** @throws SplitError `SPLIT_UNREADABLE`. */
export async function readSplitFile(file: string): Promise<SplitFile> {
  const json = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw new SplitError('SPLIT_UNREADABLE', `${file} cannot be read as JSON`, { cause })
    })
  const parsed = splitFileSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new SplitError('SPLIT_UNREADABLE', `${file} is no split file:\n${z.prettifyError(parsed.error)}`)
}

/**
 * A split must name every part that is to be used, and no part of these classes that is not there: anything else is a split of
 * other data. Parts of classes that are left out may stand in it.
 * @throws SplitError `SPLIT_MISMATCH`.
 */
export function checkSplit(
  { conditions, kind, rate, where, seed }: Split,
  parts: readonly SplitPart[],
): void {
  const about = `the split of ${kind} missing at ${rate} in ${where}, seed ${seed},`
  const known = new Set(parts.map(fullPartId))
  const unnamed = [...known].filter((partId) => !Object.hasOwn(conditions, partId))
  if (unnamed.length > 0) {
    throw new SplitError(
      'SPLIT_MISMATCH',
      `${about} says nothing of ${unnamed.length} of ${known.size} parts, such as '${unnamed[0]}'`,
    )
  }
  const categories = new Set(parts.map(({ category }) => category))
  const unknown = Object.keys(conditions).filter(
    (partId) => categories.has(partId.split('/', 1)[0]!) && !known.has(partId),
  )
  if (unknown.length > 0) {
    throw new SplitError(
      'SPLIT_MISMATCH',
      `${about} names ${unknown.length} parts that the data set has not, such as '${unknown[0]}'`,
    )
  }
}
