/** Decisions of the baselines and ablations, from what banks say of a part. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { BANKS_OF, mixedMap, type Finding } from '../comparison.ts'
import { normalityOf, type NormalityCurve } from '../normality.ts'
import { fitOneClass, robustScale } from '../one-class.ts'
import { seededRandom } from '../random.ts'
import type { DecisionHead } from '../repository-manifest.ts'

/** What each bank says of a good part, and whether the part has what the bank is of or was filled in. */
export interface LinearNormal {
  readonly findings: readonly Finding[]
  readonly isReal: readonly boolean[]
}

/** Per bank: its weight, of weights that sum to 1, and the scale that it is divided by. */
interface Mix {
  readonly weights: readonly number[]
  readonly scales: readonly number[]
}

/** M3DM's late fusion: one linear one-class machine over the image scores and one over the maps. */
export interface LinearHead {
  readonly scores: Mix
  readonly maps: Mix
}

/** Patches that train the machine of the maps; more say the same. */
const MOST_ROWS = 6000

/**
 * Scales are of real features where there are any: a bank that holds the pseudo feature is at distance zero from every part that was
 * filled in, and the spread of zeros would blow the bank up. That is more than M3DM does, which does not scale (numerics 5.4).
 * @param normals at least one.
 */
export function fitLinearHead(normals: readonly LinearNormal[], seed: number): LinearHead {
  const patches = normals.flatMap(({ findings, isReal }) =>
    Array.from(findings[0]!.voters.keys())
      .filter((patch) => findings.every(({ voters }) => voters[patch] === 1))
      .map((patch) => ({ row: findings.map(({ distances }) => distances[patch]!), isReal })),
  )
  const random = seededRandom(seed)
  const share = MOST_ROWS / patches.length
  const drawn = patches.filter(() => random() < share)
  const scores = normals.map(({ findings, isReal }) => ({ row: findings.map(({ score }) => score), isReal }))
  return {
    scores: mixOf(scores, seed),
    maps: mixOf(drawn.length > 0 ? drawn : scores, seed),
  }
}

function mixOf(rows: readonly { row: readonly number[]; isReal: readonly boolean[] }[], seed: number): Mix {
  const scales = rows[0]!.row.map((_, bank) => {
    const real = rows.filter(({ isReal }) => isReal[bank])
    return robustScale((real.length > 0 ? real : rows).map(({ row }) => row[bank]!))
  })
  const scaled = Float64Array.from(rows.flatMap(({ row }) => row.map((value, bank) => value / scales[bank]!)))
  return { weights: fitOneClass(scaled, scales.length, seed), scales }
}

/**
 * @param present the banks that have a say, by index in `head`; `findings` holds theirs only, in the same order. Their weights are
 * brought to a sum of 1.
 */
export function concludeLinear(
  { scores, maps }: LinearHead,
  findings: readonly Finding[],
  present: readonly number[],
): { readonly score: number; readonly map: Float32Array } {
  const factors = (mix: Mix): number[] => {
    const sum = present.reduce((total, bank) => total + mix.weights[bank]!, 0)
    // Banks that the machine gave no weight say the same each.
    return present.map(
      (bank) => (sum > 0 ? mix.weights[bank]! / sum : 1 / present.length) / mix.scales[bank]!,
    )
  }
  const ofScores = factors(scores)
  return {
    score: findings.reduce((total, { score }, i) => total + ofScores[i]! * score, 0),
    map: mixedMap(findings, { weights: factors(maps), threshold: 1 }),
  }
}

/** The head of complete parts, for a part that lacks something: missing banks are left out of it, nothing is calibrated anew. */
export function completeHeadFor(
  condition: DecidableCondition,
  { mahalanobis, normality, map }: DecisionHead,
): Pick<DecisionHead, 'mahalanobis' | 'normality' | 'map'> {
  const kept = BANKS_OF[condition].map((name) => BANKS_OF.complete.indexOf(name))
  return {
    mahalanobis: {
      ...mahalanobis,
      origin: kept.map((bank) => mahalanobis.origin[bank]!),
      covariance: kept.map((a) => kept.map((b) => mahalanobis.covariance[a]![b]!)),
    },
    normality,
    map: { ...map, weights: kept.map((bank) => map.weights[bank]!) },
  }
}

/**
 * -ln of the normality: what parts of different conditions are ranked by. In the tail it is taken from the curve's own exponential,
 * where the normality itself would underflow and all far parts tie.
 */
export function oddness(curve: NormalityCurve, distance: number): number {
  const { distances, normalities, upperTail } = curve
  const last = distances.length - 1
  return distance >= distances[last]!
    ? (distance - distances[last]!) / upperTail - Math.log(normalities[last]!)
    : -Math.log(normalityOf(curve, distance))
}
