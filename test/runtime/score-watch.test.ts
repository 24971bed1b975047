import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DRIFT_LIMITS, type DriftFinding } from '../../models/drift.ts'
import { seededRandom } from '../../models/random.ts'
import type { VerdictPayload } from '../../runtime/messages.ts'
import { openScoreWatch } from '../../runtime/score-watch.ts'
import { makePayload } from '../support/inspected.ts'

const { reference, recent } = DRIFT_LIMITS
const provenance = { bundleId: 'bundle-a', repositoryId: 'repository-a', backend: 'onnxruntime-cpu' }

async function open(t: Test, file = join(t.testdir(), 'drift.json')) {
  const findings: DriftFinding[] = []
  const troubles: string[] = []
  const watch = await openScoreWatch({
    file,
    onDrift: (finding) => findings.push(finding),
    onTrouble: (detail) => troubles.push(detail),
  })
  const told = () => findings.map(({ hasDrifted, towards }) => (hasDrifted ? towards : 'as before'))
  return { file, watch, findings, troubles, told }
}

/** Good parts whose distances lie around a middle. */
function parts(count: number, middle: number, fields: Partial<VerdictPayload> = {}): VerdictPayload[] {
  const random = seededRandom(count + middle)
  return Array.from({ length: count }, () =>
    makePayload({
      outcome: 'pass',
      condition: 'complete',
      distance: middle + random(),
      provenance,
      ...fields,
    }),
  )
}

t.test(
  'good parts that begin to look otherwise are told once, and once when they look as before',
  async (t) => {
    const { watch, told, findings } = await open(t)
    for (const part of parts(reference + recent, 1)) watch.see(part)
    t.same(told(), [], 'as before is nothing to tell')
    for (const part of parts(3 * recent, 1.5)) watch.see(part)
    t.same(told(), ['odder'])
    for (const part of parts(2 * recent, 1)) watch.see(part)
    t.same(told(), ['odder', 'as before'])
    for (const part of parts(recent, 0.5)) watch.see(part)
    t.same(told(), ['odder', 'as before', 'more-normal'])
    t.match(findings[0], { condition: 'complete', test: 2 })
  },
)

t.test('each condition is watched by itself', async (t) => {
  const { watch, findings } = await open(t)
  for (const condition of ['complete', 'rgb-only'] as const) {
    for (const part of parts(reference, 1, { condition })) watch.see(part)
  }
  for (const condition of ['complete', 'rgb-only'] as const) {
    for (const part of parts(recent, 2, { condition })) watch.see(part)
  }
  t.same(
    findings.map(({ condition }) => condition),
    ['complete', 'rgb-only'],
  )
})

t.test('only passes count', async (t) => {
  const { watch, file, told } = await open(t)
  for (const part of parts(reference, 1)) watch.see(part)
  const { distance, provenance: from, ...bare } = makePayload({ outcome: 'pass' })
  t.ok(distance !== undefined && from)
  const others = [
    ...parts(2 * recent, 9, { outcome: 'fail' }),
    ...parts(2 * recent, 9, { outcome: 'unknown' }),
    ...parts(2 * recent, 9, { condition: 'none' }),
    ...Array.from({ length: 2 * recent }, () => bare),
  ]
  for (const part of others) watch.see(part)
  t.same(told(), [])
  await watch.save()
  const { conditions } = JSON.parse(await readFile(file, 'utf8'))
  t.match(conditions.complete, { tests: 0, recent: [] })
})

t.test('the windows survive a restart', async (t) => {
  const first = await open(t)
  for (const part of parts(reference + recent - 1, 1)) first.watch.see(part)
  await first.watch.save()
  for (const part of parts(50, 9)) first.watch.see(part)
  // What came after the last save is lost with the power.
  const second = await open(t, first.file)
  const [last] = parts(1, 1)
  second.watch.see(last!)
  for (const part of parts(recent, 2)) second.watch.see(part)
  t.same(second.told(), ['odder'])
  t.match(second.findings, [{ test: 2 }])
  t.same(second.troubles, [])
})

t.test('and so does what was told: it is not told twice, nor is its end forgotten', async (t) => {
  const first = await open(t)
  for (const part of [...parts(reference, 1), ...parts(recent, 2)]) first.watch.see(part)
  t.same(first.told(), ['odder'])
  await first.watch.save()
  const second = await open(t, first.file)
  for (const part of parts(recent, 2)) second.watch.see(part)
  t.same(second.told(), [])
  for (const part of parts(recent, 1)) second.watch.see(part)
  t.same(second.told(), ['as before'])
})

t.test('nothing new is not written again, and nothing at all makes no file', async (t) => {
  const { watch, file } = await open(t)
  await watch.save()
  t.same(await readdir(join(file, '..')), [])
  watch.see(parts(1, 1)[0]!)
  await watch.save()
  await writeFile(file, 'somebody else wrote here')
  await watch.save()
  t.equal(await readFile(file, 'utf8'), 'somebody else wrote here')
})

t.test('what could not be written is written the next time', async (t) => {
  const folder = t.testdir()
  const { watch, file } = await open(t, join(folder, 'later', 'drift.json'))
  watch.see(parts(1, 1)[0]!)
  await t.rejects(watch.save(), { code: 'ENOENT' })
  const again = t.testdir({ later: {} })
  t.equal(again, folder)
  await watch.save()
  t.match(JSON.parse(await readFile(file, 'utf8')), { repositoryId: 'repository-a' })
})

t.test('a damaged file is said, and the watch begins anew', async (t) => {
  for (const text of ['', '{"schema":"radar-edge/drift@1"', '{"schema":"radar-edge/drift@2"}', '[1]']) {
    const file = join(t.testdir(), 'drift.json')
    await writeFile(file, text)
    const { watch, troubles, told } = await open(t, file)
    t.equal(troubles.length, 1, text)
    t.match(troubles[0], /drift\.json is damaged, the watch begins anew/)
    for (const part of [...parts(reference, 1), ...parts(recent, 2)]) watch.see(part)
    t.same(told(), ['odder'])
    await watch.save()
    t.same((await open(t, file)).troubles, [], 'and is whole again')
  }
})

t.test('a file that cannot be read at all is said, too', async (t) => {
  const { troubles } = await open(t, t.testdir())
  t.match(troubles, [/cannot be read: EISDIR/])
})

t.test('another repository begins anew: its distances mean something else', async (t) => {
  const { watch, told, file } = await open(t)
  for (const part of [...parts(reference, 1), ...parts(recent, 2)]) watch.see(part)
  t.same(told(), ['odder'])
  const other = { provenance: { ...provenance, repositoryId: 'repository-b' } }
  for (const part of parts(reference + recent, 5, other)) watch.see(part)
  t.same(told(), ['odder'], 'far away from the former, but like each other')
  for (const part of parts(recent, 6, other)) watch.see(part)
  t.same(told(), ['odder', 'odder'])
  await watch.save()
  t.match(JSON.parse(await readFile(file, 'utf8')), { repositoryId: 'repository-b' })
})
