/**
 * MIIAD Bench's splits: which modality every part of a data set lacks. The paper publishes no membership, only nominal counts
 * (Tables 1 and 2) and a "random sampler", so the rule is ours (numerics 7.1), and a split is data that others can read,
 * check and use without it (miiad-split-file.ts).
 *
 * Parts are shuffled apart per class, split and label, by a seed that is the hash of what is asked for. Of n parts of one class
 * and split, round-half-up(n * rate) are incomplete, spread over the labels by largest remainder. Of `both`, the first half of
 * the incomplete (the larger, when odd) lacks xyz, the rest lacks rgb. No part is left with nothing.
 */
import type { DatasetItem } from '../../drivers/dataset.ts'
import type { DecidableCondition } from '../../drivers/sample.ts'
import { sha256Of } from '../content-id.ts'
import { seededRandom } from '../random.ts'

/** Named by what is missing: the paper's `3D PC`, `2D RGB` and `Both`. `none` is its 0 %. */
export const MISSING_KINDS = ['none', 'xyz', 'rgb', 'both'] as const
export type MissingKind = (typeof MISSING_KINDS)[number]

/** Where parts are incomplete. The paper's main tables: `both`; its Table 7: one of them; Table 6: `test`, at rate 1. */
export const MISSING_PLACES = ['both', 'train', 'test'] as const
export type MissingPlace = (typeof MISSING_PLACES)[number]

export interface SplitRequest {
  readonly kind: MissingKind
  /** Share of the parts that lack something, 0 to 1. 0 for `none`. */
  readonly rate: number
  readonly where: MissingPlace
  readonly seed: number
}

export interface Split extends SplitRequest {
  /** Of every part, by its full id. */
  readonly conditions: Readonly<Record<string, DecidableCondition>>
}

export type SplitPart = Pick<DatasetItem, 'partId' | 'category' | 'split' | 'label'>

/** Changes with the rule: a file says by which its splits were made. */
export const SPLIT_RULE = 'radar-edge/miiad-rule@1'

/**
 * `<category>/<split>/<label>/<stem>`, also for a part that was indexed from its class's own folder: a split holds for the class
 * wherever its folder lies.
 */
export function fullPartId({ partId, category, split }: SplitPart): string {
  return partId.startsWith(`${split}/`) ? `${category}/${partId}` : partId
}

/**
 * @param parts of any number of classes, in any order; train and validation count as train, each a stratum of its own.
 * @throws RangeError for a rate outside [0,1], a rate that does not fit the kind, or loose parts, which are of no split.
 */
export function splitByRule(parts: readonly SplitPart[], request: SplitRequest): Split {
  const { kind, rate } = request
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`a missing rate of ${rate}, expected 0 to 1`)
  if ((kind === 'none') !== (rate === 0)) {
    throw new RangeError(`kind '${kind}' at a missing rate of ${rate}: 'none' is what a rate of 0 is called`)
  }
  const loose = parts.find(({ split }) => split === 'loose')
  if (loose) throw new RangeError(`part '${loose.partId}' is of no split, expected train, validation or test`)
  const conditions = new Map<string, DecidableCondition>()
  for (const group of grouped(parts, ({ category, split }) => JSON.stringify([category, split]))) {
    assign(group, request, conditions)
  }
  // Sorted, so that the file is the same whatever the order of the parts was.
  return {
    ...request,
    conditions: Object.fromEntries([...conditions].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** One class and split. */
function assign(
  parts: readonly SplitPart[],
  { kind, rate, where, seed }: SplitRequest,
  conditions: Map<string, DecidableCondition>,
): void {
  const { category, split } = parts[0]!
  for (const part of parts) conditions.set(fullPartId(part), 'complete')
  if (where === (split === 'test' ? 'train' : 'test')) return

  // `where` is left out: what is missing in train is the same whether test is complete or not, which makes both comparable.
  const random = seededRandom(hash32([category, split, rate, kind, seed]))
  const strata = shuffled(
    grouped(parts, ({ label }) => label).sort((a, b) => (a[0]!.label < b[0]!.label ? -1 : 1)),
    random,
  ).map((stratum) => shuffled(stratum.map(fullPartId).sort(), random))
  const missing = apportioned(
    strata.map((stratum) => stratum.length * rate),
    halfUp(parts.length * rate),
  )
  const missingTotal = missing.reduce((sum, count) => sum + count, 0)
  const withoutXyz =
    kind === 'both'
      ? apportioned(
          missing.map((count) => count / 2),
          Math.ceil(missingTotal / 2),
        )
      : missing.map((count) => (kind === 'xyz' ? count : 0))
  for (const [index, stratum] of strata.entries()) {
    for (const [rank, partId] of stratum.slice(0, missing[index]).entries()) {
      conditions.set(partId, rank < withoutXyz[index]! ? 'rgb-only' : 'xyz-only')
    }
  }
}

/** How many parts of a class and split have each modality in the paper's nominal tables: products rounded to the nearest 10. */
export function nominalCounts(
  total: number,
  { kind, rate }: Pick<SplitRequest, 'kind' | 'rate'>,
): { readonly xyz: number; readonly rgb: number } {
  const present = (share: number): number => (share === 0 ? total : halfUp((total * (1 - share)) / 10) * 10)
  const ofEach = kind === 'both' ? rate / 2 : rate
  return {
    xyz: present(kind === 'xyz' || kind === 'both' ? ofEach : 0),
    rgb: present(kind === 'rgb' || kind === 'both' ? ofEach : 0),
  }
}

/** A rate of 0.29 makes 14.499999999999998 of 50: what is a half in decimals is taken for one. */
function halfUp(value: number): number {
  return Math.floor(value + 0.5 + 1e-9)
}

/** Whole numbers that sum to `total`, each its quota rounded down or up: up for the largest remainders, the first of equals. */
function apportioned(quotas: readonly number[], total: number): number[] {
  const counts = quotas.map((quota) => Math.floor(quota + 1e-9))
  const byRemainder = [...quotas.keys()].sort((a, b) => quotas[b]! - counts[b]! - (quotas[a]! - counts[a]!))
  let left = total - counts.reduce((sum, count) => sum + count, 0)
  for (const index of byRemainder) if (left-- > 0) counts[index]!++
  return counts
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return [...groups.values()]
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
  return order
}

function hash32(of: readonly (string | number)[]): number {
  return parseInt(sha256Of(Buffer.from(JSON.stringify(of))).slice(0, 8), 16)
}
