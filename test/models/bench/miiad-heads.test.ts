import t from 'tap'
import {
  completeHeadFor,
  concludeLinear,
  fitLinearHead,
  oddness,
  type LinearNormal,
} from '../../../models/bench/miiad-heads.ts'
import type { Finding } from '../../../models/comparison.ts'
import { fitNormality, normalityOf } from '../../../models/normality.ts'
import { seededRandom } from '../../../models/random.ts'
import type { DecisionHead } from '../../../models/repository-manifest.ts'

const voters = new Uint8Array(784).fill(1)
const finding = (score: number): Finding => ({ score, distances: new Float32Array(784).fill(score), voters })

/** Good parts whose first bank scores about 10, the second about 1. */
function normals(count: number, filled = 0): LinearNormal[] {
  const random = seededRandom(3)
  return Array.from({ length: count }, (_, index) => ({
    findings: [finding(10 + random()), finding(index < filled ? 0 : 1 + 0.1 * random())],
    isReal: [true, index >= filled],
  }))
}

t.test('a linear head is a positive weighted sum of scaled scores, of maps likewise', async (t) => {
  const head = fitLinearHead(normals(20), 1)
  const all = concludeLinear(head, [finding(10), finding(1)], [0, 1])
  t.ok(concludeLinear(head, [finding(11), finding(1)], [0, 1]).score > all.score)
  t.ok(concludeLinear(head, [finding(10), finding(1.1)], [0, 1]).score > all.score)
  t.ok(all.map.every((value) => value > 0))
  for (const { weights } of [head.scores, head.maps]) {
    t.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-12)
  }
})

t.test('weights of the present banks sum to 1, whatever is missing', async (t) => {
  const head = {
    scores: { weights: [0.75, 0.25], scales: [2, 1] },
    maps: { weights: [0.5, 0.5], scales: [1, 1] },
  }
  t.equal(concludeLinear(head, [finding(4), finding(8)], [0, 1]).score, 0.75 * 2 + 0.25 * 8)
  t.equal(concludeLinear(head, [finding(8)], [1]).score, 8)
  const unheard = { ...head, scores: { weights: [1, 0], scales: [2, 1] } }
  t.equal(
    concludeLinear(unheard, [finding(8)], [1]).score,
    8,
    'a bank without weight is heard when it is alone',
  )
  const { map } = concludeLinear(head, [finding(3)], [0])
  t.ok(Math.abs(map[112 * 224 + 112]! - 3) < 1e-6)
})

t.test('scales are of real features: parts that were filled in do not blow a bank up', async (t) => {
  const { scores } = fitLinearHead(normals(20), 1)
  const filled = fitLinearHead(normals(20, 12), 1).scores
  const ratio = filled.scales[1]! / scores.scales[1]!
  t.ok(ratio > 0.3 && ratio < 3, `${ratio}`)
})

t.test('the head of complete parts, without the banks that a condition lacks', async (t) => {
  const head = {
    mahalanobis: {
      mode: 'one-sided',
      origin: [1, 2, 3],
      covariance: [
        [1, 0.1, 0.2],
        [0.1, 2, 0.3],
        [0.2, 0.3, 3],
      ],
      shrinkage: 0,
    },
    normality: fitNormality([1, 2, 3]),
    map: { weights: [0.1, 0.2, 0.7], threshold: 5 },
  } as unknown as DecisionHead
  t.match(completeHeadFor('xyz-only', head), {
    mahalanobis: {
      origin: [2, 3],
      covariance: [
        [2, 0.3],
        [0.3, 3],
      ],
    },
    map: { weights: [0.2, 0.7], threshold: 5 },
  })
  t.same(completeHeadFor('complete', head).mahalanobis, head.mahalanobis)
})

t.test('oddness is -ln of the normality and still tells parts apart where that is zero', async (t) => {
  const curve = fitNormality([1, 2, 3, 4, 5])
  for (const distance of [-1, 0.5, 2.2, 5, 9]) {
    t.ok(Math.abs(oddness(curve, distance) + Math.log(normalityOf(curve, distance))) < 1e-9, `${distance}`)
  }
  t.equal(normalityOf(curve, 1e5), 0)
  t.ok(oddness(curve, 1e5 + 1) > oddness(curve, 1e5))
})
