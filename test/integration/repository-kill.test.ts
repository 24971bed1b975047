/**
 * kill -9 at any instant of anything that is done with a product's repository, again and again. Also by the hundred when REPOSITORY_KILLS
 * says how often; with REPOSITORY_KILLS_OUT the counts go into a file, which `radar-edge bench repository` shows.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { builtPackage } from '../support/built-package.ts'
import { killRepositoryWriters, type KillReport, type KillsRequest } from '../support/repository-kills.ts'
import { onSmallDisk, smallDiskSkip } from '../support/small-disk.ts'

/** `.ci/run` asks for 1,000. */
const kills = Number(process.env['REPOSITORY_KILLS'] ?? 60)
/** Half of them on each disk. On a busy machine one takes a second. */
t.setTimeout(120_000 + kills * 10_000)

const STEPS = ['teach', 'update', 'promote', 'rollback', 'import', 'prune']
const reports: KillReport[] = []

function asked(changes: Pick<KillsRequest, 'folder' | 'inbox' | 'disk' | 'packageRoot'>): KillsRequest {
  return {
    writer: join(import.meta.dirname, '../fixtures/repository-writer.js'),
    bundleManifest: join(import.meta.dirname, '../fixtures/tiny-bundle/manifest.json'),
    kills: Math.ceil(kills / 2),
    seed: changes.disk === 'real' ? 1 : 2,
    ...changes,
  }
}

function judge(t: Test, report: KillReport): void {
  reports.push(report)
  t.comment(tableOf(report))
  t.same(report.problems, [])
  t.equal(report.kills, Math.ceil(kills / 2))
  // A few kills hit a few steps.
  if (kills < 500) return
  const missed = STEPS.filter((step) => report.hits[step] === undefined)
  t.same(missed, [], 'every step was hit')
}

t.test(
  'the old or the new repository is in use, whole, and nothing that was acknowledged is lost',
  { timeout: 120_000 + kills * 5000 },
  async (t) => {
    const folder = t.testdir({ stations: {} })
    const request = asked({
      packageRoot: await builtPackage(),
      folder: join(folder, 'stations'),
      inbox: join(folder, 'inbox'),
      disk: 'real',
    })
    judge(t, await killRepositoryWriters(request))
  },
)

t.test(
  'the same on a disk that is nearly full',
  { skip: smallDiskSkip, timeout: 120_000 + kills * 5000 },
  async (t) => {
    const folder = t.testdir()
    const request = asked({
      packageRoot: await builtPackage(),
      folder: join(folder, 'disk'),
      inbox: join(folder, 'inbox'),
      disk: 'small',
    })
    const [report] = await onSmallDisk({
      folder,
      mebibytes: 6,
      imports: { 'test/support/repository-kills.ts': ['killRepositoryWriters'] },
      script: `say(await killRepositoryWriters(${JSON.stringify(request)}))`,
    })
    judge(t, report as KillReport)
  },
)

t.teardown(async () => {
  const file = process.env['REPOSITORY_KILLS_OUT']
  if (file === undefined) return
  const total = reports.reduce((sum, report) => sum + report.kills, 0)
  await writeFile(file, `${JSON.stringify({ kills: total, reports }, null, 2)}\n`)
})

function tableOf({ hits, ...report }: KillReport): string {
  const { disk, kills, msPerKill, acknowledged, inFlight, torn } = report
  const rows = Object.entries(hits).map(([step, phases]) => {
    const listed = Object.entries(phases).sort(([, a], [, b]) => b - a)
    const total = listed.reduce((sum, [, count]) => sum + count, 0)
    return `  ${step.padEnd(9)} ${String(total).padStart(4)}: ${listed.map(([phase, count]) => `${phase} ${count}`).join(', ')}`
  })
  return [
    `${kills} kills on a ${disk} disk, ${msPerKill} ms each`,
    ...rows,
    `  acknowledged: ${figures(acknowledged)}; done but not acknowledged: ${figures(inFlight)}; torn: ${figures(torn)}`,
    `  ends: ${figures(report.ends)}`,
  ].join('\n')
}

const figures = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')
