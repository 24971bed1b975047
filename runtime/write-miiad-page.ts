/**
 * `npm run miiad-page -- --synthetic a.json,b.json [--ablations c.json] [--real d.json [--plugged e.json]]`: docs/miiad-bench.md and docs/screens/miiad-*.png
 * from report.json files of `radar-edge bench miiad`. Nothing is measured here, and no figure is typed by hand.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { miiadPage } from './miiad-page.ts'
import { mergeReports, readReport, type MiiadMeasured } from '../models/bench/miiad-report.ts'
import { rateCurves, scoreHistograms } from '../models/bench/miiad-plots.ts'
import { png } from './commands/bench-miiad.ts'
import { packageFile } from './package-version.ts'

const { values } = parseArgs({
  options: {
    /** Reports of seeds, classes or ablations of the same bundle and data: they are put together. */
    synthetic: { type: 'string' },
    /** The synthetic set with a bundle whose parts were trained apart, and `--ablation` for each. */
    ablations: { type: 'string' },
    /** The real class, with the same bundle as the synthetic. */
    real: { type: 'string' },
    /** The real class with another RGB encoder plugged in. */
    plugged: { type: 'string' },
    /** Default docs. */
    out: { type: 'string' },
  },
})

async function reportOf(files: string | undefined): Promise<MiiadMeasured | undefined> {
  if (files === undefined) return undefined
  return mergeReports(await Promise.all(files.split(',').map(readReport)))
}

const synthetic = await reportOf(values.synthetic)
if (synthetic === undefined) throw new Error('expected --synthetic <report.json,...>')
const ablations = await reportOf(values.ablations)
const real = await reportOf(values.real)
const plugged = await reportOf(values.plugged)
const docs = values.out ?? fileURLToPath(packageFile('docs'))
const screens = join(docs, 'screens')
await mkdir(screens, { recursive: true })
for (const [name, report] of [
  ['synthetic', synthetic],
  ['real', real],
] as const) {
  if (!report) continue
  const promised = report.promisedFalseRejectRate
  await writeFile(join(screens, `miiad-${name}-auroc.png`), await png(rateCurves(report.cells)))
  await writeFile(
    join(screens, `miiad-${name}-scores.png`),
    await png(scoreHistograms(report.cells, { method: 'radar', promised })),
  )
}
await writeFile(
  join(docs, 'miiad-bench.md'),
  miiadPage({
    synthetic,
    ...(ablations && { ablations }),
    ...(real && { real }),
    ...(plugged && { plugged }),
  }),
)
