import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import type { Check } from '../../../runtime/checks.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'

t.test('each sensor has its figures and its picture; skew is told, and what is connected', async (t) => {
  const folder = t.testdir()
  const file = await writeConfig(folder)
  const pictures = join(folder, 'pictures')
  const ended = await radarEdge([
    ...['doctor', 'sensors', '--config', file, '--captures', '3', '--pictures', pictures, '--json'],
  ])
  t.equal(ended.code, 0, ended.stderr)
  const [report] = jsonLines(ended) as unknown as [{ checks: Check[]; sensors: object[]; skewMs: object }]
  const checks = new Map(report.checks.map((check) => [check.name, check]))
  for (const name of ['GenICam cameras', 'video devices', 'serial ports', 'skew'])
    t.ok(checks.has(name), name)
  t.match(report.sensors, [
    { sensor: 'camera', captures: 3, frames: 3, width: 60, height: 60 },
    { sensor: 'scanner', captures: 3, frames: 3 },
  ])
  for (const name of ['camera', 'scanner']) {
    const { width, height } = await sharp(await readFile(join(pictures, `${name}.png`))).metadata()
    t.same([width, height], [60, 60], name)
  }
})

t.test(
  'a sensor that is not there is exit code 1, and says why; one that skips frames says how many',
  async (t) => {
    const patient = { kind: 'synthetic', deadlineMs: 15_000, openDeadlineMs: 60_000 }
    const file = await writeConfig(t.testdir(), {
      sensors: {
        rgb: { ...patient, name: 'camera', faults: [{ from: 2, to: 2, kind: 'bad' }] },
        xyz: { ...patient, name: 'scanner', faults: [{ from: 1, to: 9, kind: 'unplugged' }] },
      },
    })
    const ended = await radarEdge(['doctor', 'sensors', '--config', file, '--captures', '3'])
    t.equal(ended.code, 1, ended.stderr)
    t.match(ended.stdout, /2 of 3 frames, 60 x 60/)
    t.match(ended.stdout, /no frame, lost: scanner is lost/)
  },
)

t.test('a config that cannot be read is exit code 78', async (t) => {
  const { code, stderr } = await radarEdge(['doctor', 'sensors', '--config', join(t.testdir(), 'none.yaml')])
  t.equal(code, 78)
  t.match(stderr, /cannot be read/)
})
