/** The one schema of a repository's manifest.json: written by teach.ts, read by repository.ts. */
import * as z from 'zod'
import { BANK_KEYS } from './features.ts'
import { mahalanobisSchema } from './mahalanobis.ts'
import { normalitySchema } from './normality.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex')
const text = z.string().min(1)
const share = z.number().min(0).max(1)
const scale = z.strictObject({ mean: z.number(), std: z.number().positive() })
const bank = z.strictObject({
  rows: z.int().positive(),
  width: z.int().positive(),
  /** Rows that the coreset chose from. */
  candidates: z.int().positive(),
  /** Every candidate has a row of the bank within this distance. */
  coveringRadius: z.number().nonnegative(),
})
const part = z.strictObject({
  id: text,
  /** Of its features: the same capture twice is one part. */
  sha256,
  /** Shown at teaching, a false reject that an operator accepted, or one of a lot that the line confirmed as good. */
  origin: z.enum(['taught', 'accepted', 'lot']),
})

const range = z.strictObject({ least: z.number().nonnegative(), most: z.number().nonnegative() })
/** `LearnedLooks`, drivers/look-limits.ts. */
const looks = z.strictObject({
  rgb: z.exactOptional(
    z.strictObject({
      frames: z.int().positive(),
      brightness: range,
      darkShare: range,
      saturatedShare: range,
      sharpness: range,
    }),
  ),
  xyz: z.exactOptional(
    z.strictObject({ frames: z.int().positive(), returnsShare: range, distanceMetres: range }),
  ),
})

export const decisionHeadSchema = z.strictObject({
  /** Banks that take part, in the order of the head's origin and covariance. */
  banks: z.array(z.enum(['rgb', 'xyz', 'fused'])).min(1),
  mahalanobis: mahalanobisSchema,
  normality: normalitySchema,
  map: z.strictObject({
    /** Per bank: the one-class weight over the robust scale of its patch distances. */
    weights: z.array(z.number().nonnegative()).min(1),
    /** The mixed map's value that becomes 1.0: what a good part's hottest pixel exceeds in `falseRejectRate` of parts. */
    threshold: z.number().positive(),
  }),
  calibration: z.strictObject({
    source: z.enum(['held-out', 'leave-one-part-out', 'both']),
    parts: z.int().positive(),
    /** Good parts rejected when each is judged by a head that has not seen it, with the exact 95 % interval. */
    predictedFalseRejects: z.strictObject({
      parts: z.int().nonnegative(),
      rate: share,
      lower: share,
      upper: share,
    }),
  }),
})
export type RepositoryPart = z.infer<typeof part>
export type DecisionHead = z.infer<typeof decisionHeadSchema>
export type CalibrationSource = DecisionHead['calibration']['source']

export const REPOSITORY_SCHEMA = 'radar-edge/repository@3'

export const repositoryManifestSchema = z.strictObject({
  schema: z.literal(REPOSITORY_SCHEMA),
  product: text,
  /** `taught` from good parts; from its parent: `updated` with confirmed parts, `compacted`, or `rebuilt` for another bundle or engine. */
  made: z.enum(['taught', 'updated', 'compacted', 'rebuilt']),
  /** Id of the repository that it was made from. */
  parent: sha256.optional(),
  /** Features of another bundle, masking or normalisation are not comparable. */
  bundle: z.strictObject({
    id: text,
    name: text,
    masking: z.enum(['foreground', 'none']),
    normalisation: z.enum(['sample', 'running', 'none']),
  }),
  /** Backend and precision that computed the features (engine.ts). */
  engine: text,
  /** `per-frame`: each frame's own plane was fitted. Else the id of the station's calibrated plane. */
  plane: text,
  units: z.literal('metres'),
  grid: z.strictObject({ rows: z.literal(28), columns: z.literal(28) }),
  tensors: z.strictObject({ name: z.literal('banks.safetensors'), sha256 }),
  /** Each a tensor of its key's name, and `<key>_parts`: per row, which of `taught` it is from. */
  banks: z.record(z.enum(BANK_KEYS), bank),
  /** Of the rows before they entered the bank, and of every part that is compared with it. */
  scales: z.record(z.enum(BANK_KEYS), scale),
  byteBudget: z.int().positive(),
  seed: z.int(),
  /** The promise: the share of good parts that may fail, in every condition. */
  falseRejectRate: z.number().gt(0).lt(1),
  /** Their patches were offered to the banks; those of an ordinary part may all have been covered already. */
  taught: z.array(part).min(1),
  /** Never offered to the banks: they calibrated the heads. */
  heldOut: z.array(part),
  heads: z.strictObject({
    complete: decisionHeadSchema,
    'rgb-only': decisionHeadSchema,
    'xyz-only': decisionHeadSchema,
  }),
  /** How the frames of the taught parts looked. Absent in repositories taught before frames were measured. */
  looks: z.exactOptional(looks),
  /** What whoever taught should know, in sentences. */
  warnings: z.array(text),
})
export type RepositoryManifest = z.infer<typeof repositoryManifestSchema>
