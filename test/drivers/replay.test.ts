import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DriverError, type Trigger } from '../../drivers/driver.ts'
import { FormatError } from '../../drivers/formats/format-error.ts'
import { replayStation, type ReplayOptions } from '../../drivers/replay.ts'
import { openRig } from '../../drivers/rig.ts'
import { driverContract } from '../support/driver-contract.ts'
import { greyPngFile, npyFile, pngFile, smallMap } from '../support/point-map-files.ts'

const never = new AbortController().signal
let count = 0
const trigger = (partId?: string): Trigger => ({
  id: `t${++count}`,
  atMs: performance.now(),
  source: 'bench',
  ...(partId !== undefined && { partId }),
})

/** Parts 0 to 2: part n is 9 x 7, its first pixel's red and its point (1,0)'s y tell it; 2 has no 3D; `bent` has a mask. */
async function dataset(t: Test): Promise<string> {
  const labelFolder = () => ({ rgb: {}, xyz: {}, gt: {} })
  const root = t.testdir({ test: { bent: labelFolder(), good: labelFolder() } })
  const write = async (name: string, shift: number) => {
    const map = smallMap(9, 7)
    map.points[3] = shift
    await writeFile(join(root, 'test', name.replace('*', 'rgb') + '.png'), await pngFile(9, 7, shift))
    if (shift !== 2) await writeFile(join(root, 'test', name.replace('*', 'xyz') + '.npy'), npyFile(map))
  }
  await write('bent/*/0', 0)
  await write('good/*/1', 1)
  await write('good/*/2', 2)
  await writeFile(join(root, 'test/bent/gt/0.png'), await greyPngFile(2, 1, Uint8Array.of(0, 252)))
  return root
}

async function opened(options: ReplayOptions) {
  const station = replayStation(options)
  await station.rgb.open(never)
  await station.xyz.open(never)
  return station
}

t.test('both sensors show the same part for one trigger, whoever asks first', async (t) => {
  const { rgb, xyz, truthOf } = await opened({ root: await dataset(t) })
  const [a, b] = [trigger(), trigger()]
  const first = await rgb.capture(a, never)
  const second = await xyz.capture(b, never)
  t.equal(first.pixels[0], 0)
  t.equal(second.pointsMetres[3], 1)
  t.equal((await xyz.capture(a, never)).pointsMetres[3], 0)
  t.equal((await rgb.capture(b, never)).pixels[0], 1)
  t.match(await truthOf(b), { partId: 'test/good/1', label: 'good' })
  t.match(first, { sensor: 'replay-rgb', sequence: 0, width: 9, height: 7 })
})

t.test('a trigger’s partId picks the part and leaves the order alone', async (t) => {
  const root = await dataset(t)
  const { rgb } = await opened({ root })
  t.equal((await rgb.capture(trigger('test/good/2'), never)).pixels[0], 2)
  t.equal((await rgb.capture(trigger(), never)).pixels[0], 0)
  await t.rejects(rgb.capture(trigger('good/9'), never), {
    code: 'DRIVER_BAD_FRAME',
    message: /"good\/9".*such as "test\/bent\/0"/,
  })
})

t.test('truth has the label, and the mask where there is one', async (t) => {
  const { truthOf } = replayStation({ root: await dataset(t) })
  t.same(await truthOf(trigger('test/bent/0')), {
    partId: 'test/bent/0',
    label: 'bent',
    mask: { width: 2, height: 1, pixels: Uint8Array.of(0, 255) },
  })
  t.notOk('mask' in (await truthOf(trigger('test/good/1'))))
})

t.test('after the last part the station is unavailable, or begins again', async (t) => {
  const root = await dataset(t)
  const labels = ['good']
  const stop = await opened({ root, labels })
  t.same(
    (await stop.parts()).map(({ partId }) => partId),
    ['test/good/1', 'test/good/2'],
  )
  for (const shown of [1, 2]) t.equal((await stop.rgb.capture(trigger(), never)).pixels[0], shown)
  await t.rejects(stop.rgb.capture(trigger(), never), { code: 'DRIVER_UNAVAILABLE', message: /all 2 parts/ })
  const repeat = await opened({ root, labels, atEnd: 'repeat' })
  for (const shown of [1, 2, 1]) t.equal((await repeat.rgb.capture(trigger(), never)).pixels[0], shown)
})

t.test('a part without a file for a modality is rejected, not a lost sensor', async (t) => {
  const { xyz } = await opened({ root: await dataset(t) })
  await t.rejects(xyz.capture(trigger('test/good/2'), never), {
    code: 'DRIVER_BAD_FRAME',
    reason: 'rejected',
    message: /test\/good\/2 has no xyz file/,
  })
})

t.test('a run of parts that cannot be shown does not cost the next one its sensor', async (t) => {
  const station = replayStation({ root: await dataset(t) })
  const options = { xyz: { make: () => station.xyz }, skewToleranceMs: 0, staleMs: 5 }
  const rig = await openRig(options, never)
  t.teardown(() => rig.close())
  const conditions: string[] = []
  for (const partId of ['test/good/2', 'test/good/2', 'no such part', 'test/good/2', 'test/bent/0']) {
    const asked = {
      id: `run-${conditions.length}`,
      atMs: performance.now(),
      source: 'bench' as const,
      partId,
    }
    const { condition, absent } = await rig.capture(asked, never)
    conditions.push(absent.xyz?.reason ?? condition)
  }
  t.same(conditions, ['rejected', 'rejected', 'rejected', 'rejected', 'xyz-only'])
})

t.test('an unreadable file is refused with the FormatError as its cause', async (t) => {
  const root = await dataset(t)
  await writeFile(join(root, 'test/good/xyz/1.npy'), 'rubbish')
  const { xyz } = await opened({ root })
  const error = await xyz.capture(trigger('test/good/1'), never).catch((reason: unknown) => reason)
  t.ok(
    error instanceof DriverError && error.code === 'DRIVER_BAD_FRAME' && error.cause instanceof FormatError,
  )
  t.equal((await xyz.capture(trigger('test/bent/0'), never)).width, 9, 'and the next part is read')
})

t.test(
  'a sensor without any file is unavailable, and so is a missing dataset until it is there',
  async (t) => {
    const root = t.testdir({})
    const { rgb, xyz } = replayStation({ root, sensors: { rgb: 'top', xyz: 'laser' } })
    await t.rejects(rgb.open(never), { code: 'DRIVER_UNAVAILABLE', cause: { code: 'DATASET_EMPTY' } })
    await writeFile(join(root, 'a.png'), await pngFile(3, 2))
    await rgb.open(never)
    await t.rejects(xyz.open(never), {
      code: 'DRIVER_UNAVAILABLE',
      message: /laser: none of 1 parts has an xyz file/,
    })
    t.match(await rgb.capture(trigger(), never), { sensor: 'top', width: 3 })
  },
)

t.test('a close while opening wins', async (t) => {
  const { rgb } = replayStation({ root: await dataset(t) })
  const opening = rgb.open(never)
  await rgb.close()
  await t.rejects(opening, { code: 'DRIVER_LOST' })
  await t.rejects(rgb.capture(trigger(), never), { code: 'DRIVER_UNAVAILABLE' })
})

const repeating = (root: string) => replayStation({ root, labels: ['bent'], atEnd: 'repeat' })

t.test('the rgb driver keeps the contract', async (t) => {
  const root = await dataset(t)
  driverContract(t, { make: () => repeating(root).rgb, size: { width: 9, height: 7 } })
})

t.test('the xyz driver keeps the contract', async (t) => {
  const root = await dataset(t)
  driverContract(t, { make: () => repeating(root).xyz, size: { width: 9, height: 7 } })
})
