/** Features -> scores -> distance -> normality and map: what the model says of one part. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { BANKS_OF, compare, mixedMap, patchRows, scoreOf, votersOf, type Comparison } from './comparison.ts'
import type { BankName, Features } from './features.ts'
import { mahalanobis } from './mahalanobis.ts'
import { ModelError } from './model-error.ts'
import type { Search } from './nearest.ts'
import { normalityOf } from './normality.ts'
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
export async function judge(features: Features, repository: Repository, search: Search): Promise<Judgement> {
  const { condition } = features
  const { manifest, banks, foregroundPrior } = repository
  const head = manifest.heads[condition]
  const voters: Uint8Array[] = []
  const comparisons: Comparison[] = []
  const bankScores: Partial<Record<BankName, number>> = {}
  for (const name of BANKS_OF[condition]) {
    const comparison = await compare(patchRows(features, name, manifest.scales), banks[name], search)
    const votes = votersOf(name, features, foregroundPrior)
    comparisons.push(comparison)
    voters.push(votes)
    bankScores[name] = await scoreOf(comparison, votes, search)
  }
  const distance = mahalanobis(
    head.mahalanobis,
    BANKS_OF[condition].map((name) => bankScores[name] ?? NaN),
  )
  const map = mixedMap(comparisons, head.map, voters)
  if (!Number.isFinite(distance) || !map.every(Number.isFinite)) {
    throw new ModelError('NOT_FINITE', `the distance or the map of a ${condition} part is not finite`)
  }
  return {
    condition,
    normality: normalityOf(head.normality, distance),
    threshold: manifest.falseRejectRate,
    distance,
    bankScores,
    map,
  }
}
