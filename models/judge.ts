/** Features -> scores -> distance -> normality and map: what the model says of one part. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { BANKS_OF, findingOf, mixedMap, type Comparer, type Finding } from './comparison.ts'
import type { BankKey, BankName, Features } from './features.ts'
import { mahalanobis } from './mahalanobis.ts'
import { ModelError } from './model-error.ts'
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
export async function judge(
  features: Features,
  repository: Repository,
  comparer: Comparer,
): Promise<Judgement> {
  const { condition } = features
  const { manifest, banks, foregroundPrior } = repository
  const taught = { bankOf: (key: BankKey) => banks[key], scales: manifest.scales, foregroundPrior }
  const head = manifest.heads[condition]
  const findings: Finding[] = []
  const bankScores: Partial<Record<BankName, number>> = {}
  for (const name of BANKS_OF[condition]) {
    const finding = await findingOf(features, name, { ...taught, ...comparer })
    findings.push(finding)
    bankScores[name] = finding.score
  }
  const distance = mahalanobis(
    head.mahalanobis,
    findings.map(({ score }) => score),
  )
  const map = mixedMap(findings, head.map)
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
