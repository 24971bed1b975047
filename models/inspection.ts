/** What the model says of one sample, before the recipe's policy makes a verdict of it. */
import type { Absence, Condition, DecidableCondition, Sample } from '../drivers/sample.ts'
import type { BankName, Features, Placement } from './features.ts'

export type UndecidedReason =
  | 'nothing-captured'
  | 'deadline'
  | 'host-starting'
  | 'host-lost'
  | 'host-busy'
  | 'no-repository'
  | 'model-failed'
  | 'not-finite'

/** One hot region of the map, in frame pixels, hottest first. */
export interface Region {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** Highest map value in the region; 1 is the threshold. */
  readonly peak: number
}

export interface Decided {
  readonly kind: 'decided'
  /** May be narrower than the sample's: preprocessing can reject a frame. */
  readonly condition: DecidableCondition
  readonly absent: { readonly rgb?: Absence; readonly xyz?: Absence }
  /** Normality in [0,1]: the predicted share of good parts that look at least this odd. Small is anomalous. */
  readonly normality: number
  /** The part fails when `normality < threshold`; equals the promised false-reject rate. */
  readonly threshold: number
  /** Mahalanobis distance over the banks' scores; the raw figure behind `normality`. */
  readonly distance: number
  /** PatchCore image score per bank that took part. */
  readonly bankScores: Partial<Record<BankName, number>>
  /** 224 x 224, 1.0 = the map threshold of this condition (absolute, not scaled per image). */
  readonly map: Float32Array
  readonly placement: Placement
  readonly regions: readonly Region[]
  readonly flags: readonly string[]
  readonly bundleId: string
  readonly repositoryId: string
  readonly backend: string
  readonly timingMs: Readonly<Record<string, number>>
  /** What the encoders said of it, for a repository that learns from it once it is confirmed; when asked for. */
  readonly features?: Features
}

export interface Undecided {
  readonly kind: 'undecided'
  readonly condition: Condition
  readonly absent: { readonly rgb?: Absence; readonly xyz?: Absence }
  readonly reason: UndecidedReason
  /** One sentence for a person. */
  readonly detail: string
  readonly flags: readonly string[]
}

export type Inspection = Decided | Undecided

/** Sample in, inspection out. In-process (`LocalInspector`) for jobs, over a child process (`InferenceHost`) in the daemon. */
export interface Inspector {
  open(signal: AbortSignal): Promise<void>
  /** Never rejects for reasons of the sample, the model or the host: those are `undecided`. */
  inspect(sample: Sample, signal: AbortSignal): Promise<Inspection>
  close(): Promise<void>
}
