import { CATEGORY_NAMES } from '../../drivers/synthetic/catalogue.ts'
import { writeDataset } from '../../drivers/synthetic/dataset.ts'
import { progressLine } from '../progress.ts'
import { categoryOf } from '../sensors.ts'

export interface SynthOptions {
  readonly out: string
  readonly categories?: readonly string[]
  readonly size: number
  readonly train: number
  readonly validation: number
  readonly testGood: number
  readonly testPerDefect: number
  readonly seed: number
  readonly json: boolean
  readonly signal: AbortSignal
}

/** Writes procedural parts in MVTec 3D-AD's layout; a folder that was begun is continued. */
export async function synth({ out, json, ...options }: SynthOptions): Promise<void> {
  const line = progressLine()
  const categories = (options.categories ?? CATEGORY_NAMES).map(categoryOf)
  try {
    const { written, kept } = await writeDataset({
      ...options,
      root: out,
      categories,
      onProgress: ({ done, total }) => line.update({ phase: 'rendering parts', done, total }),
    })
    line.finish()
    const summary = { root: out, categories, written, kept, seed: options.seed }
    process.stdout.write(
      json
        ? `${JSON.stringify(summary)}\n`
        : `${out}: ${written} parts written, ${kept} were there already\n`,
    )
  } finally {
    line.finish()
  }
}
