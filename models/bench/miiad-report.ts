/**
 * What MIIAD Bench measured, as flat cells, and what is made of them: means over classes and their spread over seeds, differences
 * between methods paired by class and seed, rejects counted per condition. Cells of several runs are one list, so seeds can be run
 * as processes of their own and put together (`mergeReports`).
 */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../../drivers/sample.ts'
import { binomialInterval, type BinomialInterval } from '../binomial-interval.ts'
import { seededRandom } from '../random.ts'
import { MISSING_KINDS, MISSING_PLACES, type MissingKind, type MissingPlace } from './miiad-split.ts'

/** Which test parts a figure is of: all, or those that have a modality, which is all that a method of that modality can see. */
export const POPULATIONS = ['all', 'rgb', 'xyz'] as const
export type Population = (typeof POPULATIONS)[number]

const share = z.number().min(0).max(1)
const interval = z.object({ lower: share, upper: share })
const figuresSchema = z.object({
  good: z.int().min(0),
  defective: z.int().min(0),
  imageAuroc: share.nullable(),
  /** Of the bootstrap over parts, 95 %. */
  imageAurocInterval: interval.nullable(),
  /** Null where it was not asked for, too: on a part of the parts only the image figure and AUPRO are. */
  pixelAuroc: share.nullable(),
  /** Up to a false-positive rate of 0.3, every score a threshold. */
  aupro: share.nullable(),
})
/** `null` where a figure is not defined: no defective part, no good one, no region. */
export type MiiadFigures = z.infer<typeof figuresSchema>

const countedSchema = z.object({
  parts: z.int().min(0),
  rejected: z.int().min(0),
  /** -log10 of the normality of each part: 2 is one good part in a hundred. */
  scores: z.array(z.number()),
})
/** What a method with a promise said of the parts of one condition. */
const decisionsSchema = z.object({ good: countedSchema, defective: countedSchema })
export type Decisions = z.infer<typeof decisionsSchema>

const splitShape = {
  kind: z.enum(MISSING_KINDS),
  rate: share,
  where: z.enum(MISSING_PLACES),
  seed: z.int(),
}
const cellSchema = z.object({
  ...splitShape,
  category: z.string(),
  method: z.string(),
  on: z.enum(POPULATIONS),
  figures: figuresSchema,
  decisions: z.partialRecord(z.enum(DECIDABLE_CONDITIONS), decisionsSchema).optional(),
})
/** One method on one class in one split. */
export type MiiadCell = z.infer<typeof cellSchema>

const countsSchema = z.record(z.enum(DECIDABLE_CONDITIONS), z.int().min(0))
export const measuredSchema = z.object({
  schema: z.literal('radar-edge/bench-miiad@1'),
  bundle: z.object({ id: z.string(), name: z.string(), version: z.string() }),
  /** Other fusions on the same encoders. */
  ablations: z.array(z.object({ name: z.string(), bundle: z.string() })),
  dataset: z.string(),
  byteBudget: z.int(),
  promisedFalseRejectRate: share,
  resolution: z.string(),
  /** Parts of each condition, per class: taught (train and validation) and tested. */
  splits: z.array(
    z.object({ ...splitShape, category: z.string(), taught: countsSchema, tested: countsSchema }),
  ),
  cells: z.array(cellSchema),
  /** What a method could not be taught or asked, e.g. banks of a modality that no part has. */
  gaps: z.array(z.object({ ...splitShape, category: z.string(), method: z.string(), why: z.string() })),
  warnings: z.array(z.string()),
})
export type MiiadMeasured = z.infer<typeof measuredSchema>

/** A report.json: what was measured; anything that was made of it is made anew. */
export async function readReport(file: string): Promise<MiiadMeasured> {
  const parsed = measuredSchema.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (parsed.success) return parsed.data
  throw new RangeError(`${file} is no MIIAD Bench report: ${z.prettifyError(parsed.error)}`)
}

/** @throws RangeError for reports of different bundles, data or promises, or for a cell that is there twice. */
export function mergeReports(reports: readonly MiiadMeasured[]): MiiadMeasured {
  const [first, ...others] = reports
  if (first === undefined) throw new RangeError('no report to merge, expected at least one')
  for (const other of others) {
    for (const key of ['dataset', 'byteBudget', 'promisedFalseRejectRate', 'resolution'] as const) {
      if (other[key] !== first[key]) {
        throw new RangeError(`reports with ${key} ${first[key]} and ${other[key]} cannot be merged`)
      }
    }
    if (other.bundle.id !== first.bundle.id) {
      throw new RangeError(`reports of bundles ${first.bundle.id} and ${other.bundle.id} cannot be merged`)
    }
  }
  const cells = reports.flatMap((report) => report.cells)
  const keys = new Set<string>()
  for (const cell of cells) {
    const key = [keyOf(cell), cell.seed, cell.category, cell.method, cell.on].join(' ')
    if (keys.has(key)) throw new RangeError(`reports that both have ${key} cannot be merged`)
    keys.add(key)
  }
  return {
    ...first,
    ablations: unique(
      reports.flatMap(({ ablations }) => ablations),
      ({ name }) => name,
    ),
    splits: unique(
      reports.flatMap(({ splits }) => splits),
      (split) => [keyOf(split), split.seed, split.category].join(' '),
    ),
    cells,
    gaps: reports.flatMap(({ gaps }) => gaps),
    warnings: [...new Set(reports.flatMap(({ warnings }) => warnings))],
  }
}

function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()]
}

/** What a table has a row for. */
export interface Setting {
  readonly kind: MissingKind
  readonly rate: number
  readonly where: MissingPlace
}

export const keyOf = ({ kind, rate, where }: Setting): string => `${where} ${kind} ${rate}`

/** In the order of the paper's tables: place, rate, and rgb before xyz before both. */
export function settingsOf(cells: readonly Setting[]): Setting[] {
  const kinds: readonly MissingKind[] = ['none', 'rgb', 'xyz', 'both']
  const order = ({ kind, rate, where }: Setting): number =>
    MISSING_PLACES.indexOf(where) * 1e6 + rate * 1e4 + kinds.indexOf(kind)
  const unique = new Map(
    cells.map(({ kind, rate, where }) => [keyOf({ kind, rate, where }), { kind, rate, where }]),
  )
  return [...unique.values()].sort((a, b) => order(a) - order(b))
}

export const FIGURES = ['imageAuroc', 'aupro', 'pixelAuroc'] as const
export type Figure = (typeof FIGURES)[number]

/** Over seeds. The spread is the standard deviation of the seeds' means; null with one seed. */
export interface MeanOverSeeds {
  readonly mean: number
  readonly spread: number | null
  readonly seeds: number
  readonly classes: number
}

export interface Asked extends Setting {
  readonly method: string
  readonly on: Population
}

const isOf =
  ({ method, on, ...setting }: Asked) =>
  (cell: MiiadCell): boolean =>
    cell.method === method && cell.on === on && keyOf(cell) === keyOf(setting)

/** Mean over the classes that have the figure, then over seeds. @returns null where no class has it. */
export function meanOf(cells: readonly MiiadCell[], asked: Asked, figure: Figure): MeanOverSeeds | null {
  const values = cells.filter(isOf(asked)).flatMap(({ seed, category, figures }) => {
    const value = figures[figure]
    return value === null ? [] : [{ seed, category, value }]
  })
  return overSeeds(values)
}

/** `method` minus `against`, paired by class and seed. */
export interface Difference extends MeanOverSeeds {
  /** 95 %, of a bootstrap over classes: would other products say the same? Null for one class. */
  readonly interval: BinomialInterval | null
  /** The class where the method is worst off, on its mean over seeds. */
  readonly worst: { readonly category: string; readonly difference: number }
}

export function differenceOf(
  cells: readonly MiiadCell[],
  { against, ...asked }: Asked & { readonly against: string },
  figure: Figure,
): Difference | null {
  const others = new Map(
    cells
      .filter(isOf({ ...asked, method: against }))
      .map(({ seed, category, figures }) => [`${seed} ${category}`, figures[figure]]),
  )
  const values = cells.filter(isOf(asked)).flatMap(({ seed, category, figures }) => {
    const other = others.get(`${seed} ${category}`)
    const own = figures[figure]
    return own === null || other == null ? [] : [{ seed, category, value: own - other }]
  })
  const mean = overSeeds(values)
  if (mean === null) return null
  const perClass = [...groupBy(values, ({ category }) => category)].map(([category, of]) => ({
    category,
    difference: average(of.map(({ value }) => value)),
  }))
  const worst = perClass.reduce((low, one) => (one.difference < low.difference ? one : low))
  return { ...mean, worst, interval: bootstrapOfMean(perClass.map(({ difference }) => difference)) }
}

const RESAMPLES = 2000

function bootstrapOfMean(values: readonly number[]): BinomialInterval | null {
  if (values.length < 2) return null
  const random = seededRandom(1)
  const means = Array.from({ length: RESAMPLES }, () =>
    average(values.map(() => values[Math.floor(random() * values.length)]!)),
  ).sort((a, b) => a - b)
  return {
    lower: means[Math.round(0.025 * (RESAMPLES - 1))]!,
    upper: means[Math.round(0.975 * (RESAMPLES - 1))]!,
  }
}

function overSeeds(
  values: readonly { readonly seed: number; readonly category: string; readonly value: number }[],
): MeanOverSeeds | null {
  if (values.length === 0) return null
  const seeds = [...groupBy(values, ({ seed }) => seed).values()].map((of) =>
    average(of.map(({ value }) => value)),
  )
  const mean = average(seeds)
  const squares = seeds.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return {
    mean,
    spread: seeds.length < 2 ? null : Math.sqrt(squares / (seeds.length - 1)),
    seeds: seeds.length,
    classes: new Set(values.map(({ category }) => category)).size,
  }
}

export interface RejectShare extends Setting, BinomialInterval {
  readonly method: string
  readonly condition: DecidableCondition
  readonly parts: number
  readonly rejected: number
  readonly share: number
  /** Of the defective parts of the condition, the share that was rejected. */
  readonly detected: number | null
  /** Whether the promise lies within the exact 95 % interval of what was counted. */
  readonly holds: boolean
}

/**
 * Good test parts that were rejected, over classes and seeds. A part is asked once per seed, so with several seeds the interval
 * is narrower than independent parts would make it, and the promise harder to keep.
 */
export function falseRejectsOf(cells: readonly MiiadCell[], promised: number): RejectShare[] {
  const shares: RejectShare[] = []
  const decided = cells.filter(({ decisions }) => decisions !== undefined)
  for (const method of new Set(decided.map((cell) => cell.method))) {
    for (const setting of settingsOf(decided)) {
      for (const condition of DECIDABLE_CONDITIONS) {
        const of = decided
          .filter((cell) => cell.method === method && keyOf(cell) === keyOf(setting))
          .flatMap(({ decisions }) => decisions?.[condition] ?? [])
        const total = (pick: (decisions: Decisions) => number): number =>
          of.reduce((sum, one) => sum + pick(one), 0)
        const parts = total(({ good }) => good.parts)
        if (parts === 0) continue
        const rejected = total(({ good }) => good.rejected)
        const defective = total((one) => one.defective.parts)
        const { lower, upper } = binomialInterval(rejected, parts)
        shares.push({
          ...setting,
          method,
          condition,
          parts,
          rejected,
          share: rejected / parts,
          detected: defective === 0 ? null : total((one) => one.defective.rejected) / defective,
          lower,
          upper,
          holds: lower <= promised && promised <= upper,
        })
      }
    }
  }
  return shares
}

export function groupBy<T, K>(items: readonly T[], of: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(of(item))
    if (group) group.push(item)
    else groups.set(of(item), [item])
  }
  return groups
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
