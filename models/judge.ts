/** Features -> scores -> distance -> normality and map: what the model says of one part. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { BANKS_OF, findingOf, mixedMap, type Comparer, type Finding } from './comparison.ts'
import type { BankKey, BankName, Features } from './features.ts'
import { mahalanobis } from './mahalanobis.ts'
import { ModelError } from './model-error.ts'
import { normalityOf } from './normality.ts'
import type { DecisionHead } from './repository-manifest.ts'
import type { Repository } from './repository.ts'

export interface Judgement {
  readonly condition: DecidableCondition
  /** In [0,1]; small is anomalous. */
  readonly normality: number
  /** The promised false-reject rate: the part fails when `normality < threshold`. */
  readonly threshold: number
  /** Mahalanobis distance, signed (mahalanobis.ts), without an upper end: what parts are ranked by. */
  readonly distance: number
  readonly bankScores: Partial<Record<BankName, number>>
  /** 224 x 224, 1.0 = the map threshold of this condition. */
  readonly map: Float32Array
}

/** @throws ModelError `NOT_FINITE` for a NaN or an infinity anywhere, `MODEL_MISMATCH` for features of another shape. */
export async function judge(
  features: Features,
  repository: Repository,
  comparer: Comparer,
): Promise<Judgement> {
  const { condition } = features
  const { manifest } = repository
  const findings = await findingsOf(features, repository, comparer)
  const bankScores: Partial<Record<BankName, number>> = {}
  for (const [i, name] of BANKS_OF[condition].entries()) bankScores[name] = findings[i]!.score
  return {
    condition,
    threshold: manifest.falseRejectRate,
    bankScores,
    ...conclude(findings, manifest.heads[condition]),
  }
}

/** What the banks of the part's condition say of it, in the order of BANKS_OF. */
export async function findingsOf(
  features: Features,
  { manifest, banks, foregroundPrior }: Repository,
  comparer: Comparer,
): Promise<Finding[]> {
  const taught = { bankOf: (key: BankKey) => banks[key], scales: manifest.scales, foregroundPrior }
  const findings: Finding[] = []
  for (const name of BANKS_OF[features.condition]) {
    findings.push(await findingOf(features, name, { ...taught, ...comparer }))
  }
  return findings
}

/** @throws ModelError `NOT_FINITE`. */
export function conclude(
  findings: readonly Finding[],
  head: Pick<DecisionHead, 'mahalanobis' | 'normality' | 'map'>,
): Pick<Judgement, 'distance' | 'normality' | 'map'> {
  const distance = mahalanobis(
    head.mahalanobis,
    findings.map(({ score }) => score),
  )
  const map = mixedMap(findings, head.map)
  if (!Number.isFinite(distance) || !map.every(Number.isFinite)) {
    throw new ModelError('NOT_FINITE', 'the distance or the map of a part is not finite')
  }
  return { distance, normality: normalityOf(head.normality, distance), map }
}
