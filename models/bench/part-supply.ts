/** Parts for benches that need many of a product, each under a lamp of any age: a real class folder, or a synthetic product without end. */
import { indexDataset, type DatasetItem } from '../../drivers/dataset.ts'
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { hash32, hashText } from '../../drivers/random.ts'
import { replayStation } from '../../drivers/replay.ts'
import type { Sample } from '../../drivers/sample.ts'
import { categoryNamed, type CategoryName } from '../../drivers/synthetic/catalogue.ts'
import type { DefectKind } from '../../drivers/synthetic/defect.ts'
import { scan, stagePart } from '../../drivers/synthetic/render.ts'
import { maskedPatches } from '../square-mask.ts'
import { agedPicture, photographAged } from './aged-lamp.ts'
import { sampleOf, triggerOf } from './bench-parts.ts'

/** Plain, so that another process can open the same one. */
export type SupplySource =
  | { readonly kind: 'class'; readonly folder: string }
  | {
      readonly kind: 'synthetic'
      readonly category: CategoryName
      /** Side of the frames, pixels. */
      readonly size: number
      readonly seed: number
    }

export interface SuppliedPart {
  readonly partId: string
  /** `good` or the defect's kind. */
  readonly label: string
  /** What both sensors see of it. @param age of the lamp, 0 to 1. */
  sample(age: number, signal: AbortSignal): Promise<Sample>
  /** The patches that its defect covers: 784. Undefined for a good one. */
  defectPatches(): Promise<Uint8Array | undefined>
}

export interface PartSupply {
  readonly product: string
  /** The first so many good parts; fewer when there are no more. */
  good(most: number): readonly SuppliedPart[]
  /** The first so many of each kind of defect, kinds taking turns. */
  defective(mostPerKind: number): readonly SuppliedPart[]
  close(): Promise<void>
}

/** @throws DatasetError. */
export async function openPartSupply(source: SupplySource, signal: AbortSignal): Promise<PartSupply> {
  return source.kind === 'class' ? openClass(source.folder, signal) : syntheticSupply(source)
}

async function openClass(folder: string, signal: AbortSignal): Promise<PartSupply> {
  const { items } = await indexDataset(folder)
  const station = replayStation({ root: folder })
  await Promise.all([station.rgb.open(signal), station.xyz.open(signal)])
  const supplied = (item: DatasetItem): SuppliedPart => ({
    partId: item.partId,
    label: item.label,
    async sample(age, signal) {
      const sample = await sampleOf(item, { station, signal })
      const { rgb } = sample.frames
      return age === 0 || !rgb
        ? sample
        : { ...sample, frames: { ...sample.frames, rgb: agedPicture(rgb, age) } }
    },
    async defectPatches() {
      const { mask } = await station.truthOf(triggerOf(item))
      return item.label === 'good' || !mask ? undefined : maskedPatches(mask)
    },
  })
  // The data set's order: train before validation before test.
  const good = items.filter(({ label }) => label === 'good')
  const kinds = [...new Set(items.map(({ label }) => label))].filter((label) => label !== 'good')
  const category = good[0]?.category ?? 'class'
  return {
    product: category,
    good: (most) => good.slice(0, most).map(supplied),
    defective: (most) =>
      inTurns(kinds.map((kind) => items.filter(({ label }) => label === kind).slice(0, most))).map(supplied),
    close: async () => {
      await Promise.all([station.rgb.close(), station.xyz.close()])
    },
  }
}

function syntheticSupply(source: Extract<SupplySource, { kind: 'synthetic' }>): PartSupply {
  const { category } = source
  const numbers = (most: number) => Array.from({ length: most }, (_, number) => number)
  return {
    product: category,
    good: (most) => numbers(most).map((number) => syntheticPart(source, { number })),
    defective: (most) =>
      inTurns(
        categoryNamed(category).defects.map((defect) =>
          numbers(most).map((number) => syntheticPart(source, { number, defect })),
        ),
      ),
    close: () => Promise.resolve(),
  }
}

function syntheticPart(
  { category, size, seed }: Extract<SupplySource, { kind: 'synthetic' }>,
  { number, defect }: { readonly number: number; readonly defect?: DefectKind },
): SuppliedPart {
  const label = defect ?? 'good'
  const partId = `${label}-${number}`
  // Every part has its own: no defective part is a good one with a defect added.
  const partSeed = hash32(hashText(`${category}/${partId}`) ^ hash32(seed))
  const staged = () =>
    stagePart({ category, width: size, height: size, seed: partSeed, ...(defect && { defect }) })
  return {
    partId,
    label,
    sample(age) {
      const part = staged()
      const header = { sequence: number, exposedAtMs: performance.now(), width: size, height: size }
      const rgb: RgbFrame = {
        ...header,
        modality: 'rgb',
        sensor: 'synthetic-rgb',
        pixels: photographAged(part, age, partSeed),
      }
      const xyz: XyzFrame = {
        ...header,
        modality: 'xyz',
        sensor: 'synthetic-xyz',
        pointsMetres: scan(part, partSeed),
      }
      const trigger = { id: `bench-${partId}`, atMs: header.exposedAtMs, source: 'bench', partId } as const
      return Promise.resolve({ trigger, frames: { rgb, xyz }, absent: {}, condition: 'complete' })
    },
    defectPatches: () =>
      Promise.resolve(defect && maskedPatches({ width: size, height: size, pixels: staged().mask })),
  }
}

/** The first of each list, then the second of each, and so on. */
function inTurns<Item>(lists: readonly (readonly Item[])[]): Item[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, turn) =>
    lists.flatMap((list) => list.slice(turn, turn + 1)),
  ).flat()
}
