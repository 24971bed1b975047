/** `radar-edge teach`: good parts -> features -> repository, with what a person must know to trust it; through the gate and into use. */
import { resolve } from 'node:path'
import { productOf } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { openGoodParts } from '../good-parts.ts'
import { progressLine } from '../progress.ts'
import { teachReport } from '../teach-report.ts'
import { teachInShop } from '../teach-work.ts'
import { openTeaching, type TeachingPlan } from '../teaching.ts'
import { userName } from '../user-name.ts'
import { openWorkshop } from '../workshop.ts'

export interface TeachOptions {
  readonly config: string
  readonly product?: string
  /** Good parts to capture when they come from the station's own sensors. */
  readonly parts: number
  /** Recorded parts instead. */
  readonly data?: string
  readonly seed: number
  /** Ids of parts to leave out: of the last teaching when that is finished, which is then taught again from its other parts. */
  readonly exclude: readonly string[]
  /** Drops an interrupted teaching instead of going on with it. */
  readonly restart: boolean
  /** Folder for heatmaps of the parts that are proposed for exclusion. */
  readonly save?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function teachProduct(options: TeachOptions): Promise<void> {
  const written = await readConfig(options.config)
  const config = { ...written, product: productOf(options.product ?? written.product) }
  const { restart, exclude } = options
  const line = progressLine()
  const teaching = await openTeaching(config, planOf(config.product, options), {
    restart,
    again: exclude.length > 0,
  })
  try {
    const shop = await openWorkshop(config)
    try {
      const report = await teachInShop(shop, {
        ...options,
        teaching,
        line,
        open: () => openGoodParts(teaching, config, options),
        who: userName(),
        why: whyOf(exclude),
      })
      line.finish()
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : teachReport(report))
    } finally {
      await shop.close()
    }
  } finally {
    line.finish()
    teaching.close()
    if (options.signal.aborted)
      process.stderr.write('what was captured is kept: the same command goes on with it\n')
  }
}

function planOf(product: string, { data, parts, seed }: TeachOptions): TeachingPlan {
  const source =
    data === undefined
      ? { kind: 'sensors' as const, parts }
      : { kind: 'data' as const, folder: resolve(data) }
  return { product, source, seed }
}

/** The ledger's entries have a bound. */
function whyOf(exclude: readonly string[]): string {
  return exclude.length === 0 ? 'taught' : `taught without ${exclude.join(', ')}`.slice(0, 1000)
}
