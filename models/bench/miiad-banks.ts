/** Banks of the baselines: chosen, normalised, searched and scored as the product's are, on rows of another kind. */
import { compare, scoreOf, votersOf, type Finding } from '../comparison.ts'
import { normalised, type FeatureScale } from '../feature-scale.ts'
import type { BankName, Features } from '../features.ts'
import type { PatchRows } from '../fusion.ts'
import type { Search } from '../nearest.ts'
import { buildBank, candidatesOf } from '../taught-banks.ts'

export interface OtherBank {
  /**
   * What the bank says of a part.
   * @param leftOut index of a taught part that the bank is to be without: the part itself, when it is one.
   */
  findingOf(features: Features, leftOut?: number): Promise<Finding>
}

export interface OtherBankRequest {
  /** Whose voters count: `xyz`, `rgb`, or `fused` for rows of both. */
  readonly name: BankName
  /** In the order that `leftOut` counts. */
  readonly parts: readonly Features[]
  /** Of a part, 784 rows; undefined for a part that the bank takes nothing from. */
  readonly rowsOf: (features: Features) => PatchRows | undefined
  /** As many as the product's banks have. */
  readonly rows: number
  readonly seed: number
  readonly search: Search
  readonly signal?: AbortSignal
}

/** @throws RangeError when no part gives rows. */
export async function buildOtherBank(request: OtherBankRequest): Promise<OtherBank> {
  const { name, parts, rowsOf, rows, seed, search, signal } = request
  const { foregroundPrior, chosen } = candidatesOf(parts, seed)
  const given = parts.flatMap((features, part) => {
    const of = rowsOf(features)
    return of ? [{ part, of }] : []
  })
  const width = given[0]?.of.width
  if (width === undefined) throw new RangeError(`no part gives rows to the ${name} bank`)
  const total = given.reduce((sum, { part }) => sum + chosen[part]!.length, 0)
  const values = new Float32Array(total * width)
  const rowParts = new Int32Array(total)
  let row = 0
  for (const { part, of } of given) {
    for (const patch of chosen[part]!) {
      values.set(of.values.subarray(patch * width, (patch + 1) * width), row * width)
      rowParts[row++] = part
    }
  }
  const built = await buildBank(name, { width, values, rowParts }, { rows, seed, ...(signal && { signal }) })
  return {
    async findingOf(features, leftOut) {
      const raw = rowsOf(features)
      if (raw === undefined)
        throw new RangeError(`a ${features.condition} part has no rows for the ${name} bank`)
      const bank = leftOut === undefined ? built.bank : built.without([leftOut])
      const asked = { width, values: normalised(raw.values, built.scale) }
      const comparison = await compare(asked, bank, search)
      const voters = votersOf(name, features, foregroundPrior)
      return {
        score: await scoreOf(comparison, voters, search),
        distances: comparison.neighbours.distances,
        voters,
      }
    },
  }
}

/**
 * Both encoders' rows side by side, each normalised and divided by the root of its width, so that neither outweighs the other by
 * being wider: M3DM's third bank without its learned alignment, which its own readers reproduced it without (numerics 0.3).
 */
export function sideBySide(
  rgb: PatchRows,
  xyz: PatchRows,
  scales: Readonly<Record<'rgb' | 'xyz', FeatureScale>>,
): PatchRows {
  const width = rgb.width + xyz.width
  const rows = rgb.values.length / rgb.width
  const values = new Float32Array(rows * width)
  const place = (from: PatchRows, { mean, std }: FeatureScale, start: number): void => {
    const factor = Math.sqrt(width / 2 / from.width) / std
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < from.width; i++) {
        values[row * width + start + i] = (from.values[row * from.width + i]! - mean) * factor
      }
    }
  }
  place(rgb, scales.rgb, 0)
  place(xyz, scales.xyz, rgb.width)
  return { width, values }
}
