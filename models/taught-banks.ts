/** The banks of a repository, chosen from the patches of good parts under one byte budget. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import { makeBank, type Bank } from './bank.ts'
import { widened } from './comparison.ts'
import { coresetWithout, selectCoreset } from './coreset.ts'
import { normalised, scaleOf, type FeatureScale } from './feature-scale.ts'
import { BANK_KEYS, byBankKey, GRID_PATCHES, type BankKey, type BankName, type Features } from './features.ts'
import type { Fuse, PatchRows } from './fusion.ts'
import { ModelError } from './model-error.ts'
import { canNarrow, narrowed } from './narrow.ts'
import { seededRandom, type Random } from './random.ts'
import type { RepositoryManifest } from './repository-manifest.ts'
import { RepositoryError } from './repository.ts'

export interface TaughtBanks {
  readonly banks: Readonly<Record<BankKey, Bank>>
  /** The bank as it would be had some parts (by index) not been there. */
  readonly without: Readonly<Record<BankKey, (parts: readonly number[]) => Bank>>
  /** Per row of a bank: which part (by index) it is from. */
  readonly rowParts: Readonly<Record<BankKey, Int32Array>>
  readonly descriptions: RepositoryManifest['banks']
  readonly scales: Readonly<Record<BankKey, FeatureScale>>
  /** See Repository. */
  readonly foregroundPrior: Uint8Array
}

/**
 * Background patches that enter, per foreground patch of the part, from inside the prior: they vote when no 3D tells them
 * apart. The rest of the background never votes. Mean image AUROC over 12 synthetic products, 24 parts and 1,811 rows each:
 * with 0.1 rgb-only 0.867 and the rgb bank of a complete part 0.899, with 0.3 0.887 and 0.894. More took the budget of
 * varied surfaces (cookie 0.85 to 0.72 at 0.5).
 */
const BACKGROUND_SHARE = 0.3
/** Covering radius 14 to 18 % above that without projection, for a third to a fifth of the time. */
export const PROJECTED_WIDTH = 32
/**
 * Rows of a fused bank per row of the rgb or the xyz bank. A patch of one modality needs more of them to be near a good one: on six
 * synthetic products in one byte budget (4 MiB, 24 parts taught, 70 % of the parts without rgb or xyz) image AUROC is 0.835 at a share of
 * 1 and 0.871 at a quarter.
 */
const FUSED_SHARE = 0.25
/** Fewer rows than this describe no product. */
const FEWEST_ROWS = 64

export interface BankOptions {
  /** For the five banks together, as float32. */
  readonly byteBudget: number
  readonly seed: number
  readonly fuse: Fuse
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TeachProgress) => void
}

export type BankWidths = Readonly<Record<BankName, number>>

export interface TeachProgress {
  readonly phase: string
  readonly done: number
  readonly total: number
}

/** What a part must have been captured with to give rows to a bank. */
export const NEEDED = {
  rgb: 'rgb-only',
  xyz: 'xyz-only',
  'fused-complete': 'complete',
  'fused-rgb-only': 'rgb-only',
  'fused-xyz-only': 'xyz-only',
} as const satisfies Record<BankKey, DecidableCondition>

/**
 * A part gives rows to every bank that it has the modalities of. Pseudo features stand in for a missing one inside the fusion only: in a
 * bank of their own they would be at distance zero from every part that lacks it (numerics 5.5).
 * @param parts at least one of them complete.
 * @throws ModelError `MODEL_MISMATCH`, RepositoryError `REPOSITORY_REFUSED`, and whatever fusing throws.
 */
export async function buildBanks(parts: readonly Features[], options: BankOptions): Promise<TaughtBanks> {
  const complete = parts.find(({ condition }) => condition === 'complete')
  if (complete === undefined) {
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `none of ${parts.length} parts has both modalities: fusing is learned from both`,
    )
  }
  const rows = rowsWithin(options.byteBudget, {
    rgb: complete.rgb!.width,
    xyz: complete.xyz!.width,
    fused: (await options.fuse(complete)).width,
  })
  const { foregroundPrior, chosen } = candidatesOf(parts, options.seed)
  const built = new Map<BankKey, BuiltBank>()
  for (const key of BANK_KEYS) {
    built.set(
      key,
      await buildBank(key, await gatherCandidates(parts, chosen, { key, ...options }), {
        rows: rows[key],
        ...options,
      }),
    )
  }
  const each = <T>(pick: (bank: BuiltBank) => T) => byBankKey((key) => pick(built.get(key)!))
  return {
    banks: each(({ bank }) => bank),
    without: each(({ without }) => without),
    rowParts: each((bank) => bank.rowParts),
    descriptions: each(({ description }) => description),
    scales: each(({ scale }) => scale),
    foregroundPrior,
  }
}

/** Which patches of each part may enter a bank, and where parts have lain. */
export function candidatesOf(
  parts: readonly Features[],
  seed: number,
): { readonly foregroundPrior: Uint8Array; readonly chosen: readonly number[][] } {
  // Without 3D every patch counts as foreground: such a part does not tell where it lies.
  const located = parts.filter(({ condition }) => condition !== 'rgb-only')
  const foregroundPrior = widened(
    Uint8Array.from({ length: GRID_PATCHES }, (_, patch) =>
      located.some((part) => part.foregroundPatches[patch] === 1) ? 1 : 0,
    ),
  )
  const random = seededRandom(seed)
  const chosen = parts.map(({ condition, foregroundPatches }) =>
    condition === 'rgb-only'
      ? candidatePatches(foregroundPrior, foregroundPrior, random)
      : candidatePatches(foregroundPatches, foregroundPrior, random),
  )
  return { foregroundPrior, chosen }
}

export interface BuiltBank {
  readonly bank: Bank
  readonly rowParts: Int32Array
  without(parts: readonly number[]): Bank
  readonly description: RepositoryManifest['banks'][BankKey]
  readonly scale: FeatureScale
}

/** @param name for progress. */
export async function buildBank(
  name: string,
  raw: Candidates,
  { rows, seed, signal, onProgress }: Omit<BankOptions, 'byteBudget' | 'fuse'> & { readonly rows: number },
): Promise<BuiltBank> {
  const { width, rowParts } = raw
  const scale = scaleOf(raw.values)
  const values = normalised(raw.values, scale)
  const coreset = await selectCoreset(values, {
    width,
    count: rows,
    projectedWidth: PROJECTED_WIDTH,
    seed,
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress?.({ phase: `choosing ${name} patches`, done, total }),
  })
  const bankOf = (selected: Int32Array): Bank => {
    const kept = new Float32Array(selected.length * width)
    for (const [row, candidate] of selected.entries()) {
      kept.set(values.subarray(candidate * width, (candidate + 1) * width), row * width)
    }
    return makeBank(width, kept)
  }
  const { selected, coveringRadius } = coreset
  return {
    bank: bankOf(selected),
    rowParts: Int32Array.from(selected, (candidate) => rowParts[candidate]!),
    without: (parts) =>
      bankOf(
        coresetWithout(
          coreset,
          Uint8Array.from(rowParts, (part) => (parts.includes(part) ? 1 : 0)),
        ),
      ),
    description: { rows: selected.length, width, candidates: rowParts.length, coveringRadius },
    scale,
  }
}

/**
 * Rows of each bank: as many for rgb as for xyz, and a share of that for each of the three fused ones.
 * @throws RepositoryError `REPOSITORY_REFUSED` for a budget without room.
 */
export function rowsWithin(byteBudget: number, widths: BankWidths): Readonly<Record<BankKey, number>> {
  const fusedWidths = DECIDABLE_CONDITIONS.length * FUSED_SHARE * widths.fused
  const rowBytes = Float32Array.BYTES_PER_ELEMENT * (widths.rgb + widths.xyz + fusedWidths)
  const rows = Math.floor(byteBudget / rowBytes)
  const fusedRows = Math.floor(rows * FUSED_SHARE)
  if (fusedRows < FEWEST_ROWS) {
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `${byteBudget} bytes hold ${fusedRows} fused patches, at least ${FEWEST_ROWS} are needed: ${Math.ceil((FEWEST_ROWS / FUSED_SHARE) * rowBytes)} bytes`,
    )
  }
  return byBankKey((key) => (key === 'rgb' || key === 'xyz' ? rows : fusedRows))
}

/** All foreground patches, all patches when there is none, and a share of the background where parts have been seen. */
function candidatePatches(foreground: Uint8Array, prior: Uint8Array, random: Random): number[] {
  const patches = Array.from(foreground.keys())
  const part = patches.filter((patch) => foreground[patch] === 1)
  if (part.length === 0) return patches
  const background = patches.filter((patch) => foreground[patch] !== 1 && prior[patch] === 1)
  const share = (BACKGROUND_SHARE * part.length) / background.length
  return [...part, ...background.filter(() => random() < share)]
}

/** As the encoders and the fusion give them: `rows * width`. */
export interface Candidates extends PatchRows {
  /** Per row: index of the part that it comes from. */
  readonly rowParts: Int32Array
}

/** The chosen patches of all parts that the bank takes, as one matrix. One part's fused grid is held at a time. */
export async function gatherCandidates(
  parts: readonly Features[],
  chosen: readonly number[][],
  {
    key,
    fuse,
    signal,
    onProgress,
  }: Pick<BankOptions, 'fuse' | 'signal' | 'onProgress'> & { readonly key: BankKey },
): Promise<Candidates> {
  const needed = NEEDED[key]
  const able = [...parts.keys()].filter((part) => canNarrow(parts[part]!.condition, needed))
  const total = able.reduce((sum, part) => sum + chosen[part]!.length, 0)
  const rowParts = new Int32Array(total)
  let values = new Float32Array(0)
  let width = 0
  let row = 0
  for (const [index, part] of able.entries()) {
    const seen = narrowed(parts[part]!, needed)
    const rows = key === 'rgb' || key === 'xyz' ? seen[key]! : await fuse(seen)
    if (index === 0) {
      width = rows.width
      values = new Float32Array(total * width)
    }
    if (rows.width !== width || rows.values.length !== GRID_PATCHES * width) {
      throw new ModelError(
        'MODEL_MISMATCH',
        `part ${part} has ${rows.values.length} values of width ${rows.width}, expected ${GRID_PATCHES} x ${width}`,
      )
    }
    for (const patch of chosen[part]!) {
      values.set(rows.values.subarray(patch * width, (patch + 1) * width), row * width)
      rowParts[row++] = part
    }
    if (key === 'rgb' || key === 'xyz') continue
    onProgress?.({ phase: `fusing ${needed} patches`, done: index + 1, total: able.length })
    signal?.throwIfAborted()
  }
  return { width, values, rowParts }
}
