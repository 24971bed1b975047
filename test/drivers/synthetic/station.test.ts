import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import type { Trigger } from '../../../drivers/driver.ts'
import { CATEGORIES } from '../../../drivers/synthetic/catalogue.ts'
import { syntheticStation, type SyntheticStationOptions } from '../../../drivers/synthetic/station.ts'
import { transpiled } from '../../support/transpiled.ts'
import { driverContract } from '../../support/driver-contract.ts'

const never = (): AbortSignal => new AbortController().signal
const size = { width: 48, height: 40 }
const options = { category: 'hex-nut', ...size, seed: 7, defectRate: 0.5 } as const

const trigger = (id: string, partId?: string): Trigger => ({
  id,
  atMs: performance.now(),
  source: 'bench',
  ...(partId === undefined ? {} : { partId }),
})

/** The station as it is shipped: plain JavaScript, whose thread starts in milliseconds. Inside the repository, so that packages are found. */
async function shippedStation(folder: string): Promise<typeof syntheticStation> {
  const root = join(import.meta.dirname, '../../..')
  const synthetic = await readdir(join(root, 'drivers/synthetic'), { recursive: true })
  const files = synthetic.filter((file) => file.endsWith('.ts')).map((file) => `drivers/synthetic/${file}`)
  const shared = ['clock', 'driver', 'frame', 'frame-refused', 'random'].map((name) => `drivers/${name}.ts`)
  await transpiled(folder, [...shared, ...files])
  const module: { syntheticStation: typeof syntheticStation } = await import(
    pathToFileURL(join(folder, 'drivers/synthetic/station.js')).href
  )
  return module.syntheticStation
}

const shipped = await shippedStation(t.testdir())

t.test('both sensors keep the driver contract', async (t) => {
  await t.test('colour camera', async (t) => driverContract(t, { make: () => shipped(options).rgb, size }))
  await t.test('3D sensor', async (t) => driverContract(t, { make: () => shipped(options).xyz, size }))
})

/**
 * An open station. From .ts its thread takes a second or two to start, because the test runner compiles it, so most cases
 * use the shipped one.
 */
async function opened(
  t: Test,
  make: typeof syntheticStation,
  more: Partial<SyntheticStationOptions> = {},
): Promise<ReturnType<typeof syntheticStation>> {
  const station = make({ ...options, ...more })
  await station.rgb.open(never())
  await station.xyz.open(never())
  t.teardown(async () => {
    await station.rgb.close()
    await station.xyz.close()
  })
  return station
}

/** Share of pixels whose bytes differ by more than noise. */
function difference(a: Uint8Array, b: Uint8Array): number {
  let differing = 0
  for (const [index, value] of a.entries()) if (Math.abs(value - b[index]!) > 24) differing++
  return differing / a.length
}

t.test('both sensors and the truth speak of the same part', async (t) => {
  const station = await opened(t, syntheticStation)
  const labels = new Set<string>()
  for (let count = 0; count < 8; count++) {
    const asked = trigger(`same-${count}`)
    // The 3D sensor first in every other case: the order must not matter.
    const order = count % 2 === 0 ? (['rgb', 'xyz'] as const) : (['xyz', 'rgb'] as const)
    const frames = new Map<string, Uint8Array | Float32Array>()
    for (const modality of order) {
      const frame = await station[modality].capture(asked, never())
      frames.set(modality, frame.modality === 'rgb' ? frame.pixels : frame.pointsMetres)
    }
    const truth = await station.truthOf(asked)
    labels.add(truth.label)
    t.match(truth.partId, new RegExp(`^${truth.label}-${count}$`))
    t.equal(truth.mask === undefined, truth.label === 'good')
    const named = trigger(`named-${count}`, truth.partId)
    const again = await station.rgb.capture(named, never())
    const pointsAgain = await station.xyz.capture(named, never())
    t.ok(
      difference(frames.get('rgb') as Uint8Array, again.pixels) < 0.01,
      `${truth.partId}: the same picture`,
    )
    const points = frames.get('xyz') as Float32Array
    const apart = medianDepthGap(points, pointsAgain.pointsMetres)
    t.ok(apart < 0.0003, `${truth.partId}: the same shape, to ${apart} m`)
  }
  t.ok(labels.size > 1 && labels.has('good'), `good and bad parts came: ${[...labels].join(', ')}`)
})

function medianDepthGap(a: Float32Array, b: Float32Array): number {
  const gaps: number[] = []
  for (let index = 2; index < a.length; index += 3) {
    if (a[index]! > 0 && b[index]! > 0) gaps.push(Math.abs(a[index]! - b[index]!))
  }
  return gaps.sort((x, y) => x - y)[gaps.length >> 1] ?? Infinity
}

t.test('two stations of one seed show the same parts in the same order', async (t) => {
  const [one, two] = [await opened(t, shipped), await opened(t, shipped)]
  for (let count = 0; count < 5; count++) {
    const a = await one.truthOf(trigger(`a-${count}`))
    const b = await two.truthOf(trigger(`b-${count}`))
    t.same(a, b)
  }
})

t.test('every exposure has its own noise', async (t) => {
  const station = await opened(t, shipped)
  const asked = trigger('twice', 'good-1')
  const first = await station.rgb.capture(asked, never())
  const second = await station.rgb.capture(asked, never())
  t.notOk(Buffer.from(first.pixels).equals(second.pixels))
  t.ok(difference(first.pixels, second.pixels) < 0.01)
  const firstPoints = await station.xyz.capture(asked, never())
  const secondPoints = await station.xyz.capture(asked, never())
  t.notOk(firstPoints.pointsMetres.every((value, index) => value === secondPoints.pointsMetres[index]))
})

t.test('a part id that names no part counts as the next part', async (t) => {
  const station = await opened(t, shipped, { defectRate: 0 })
  t.equal((await station.truthOf(trigger('a', 'SN-2291'))).partId, 'good-0')
  t.equal((await station.truthOf(trigger('b'))).partId, 'good-1')
})

t.test('a defect that the category cannot have is refused by name', async (t) => {
  const station = await opened(t, shipped)
  await t.rejects(station.rgb.capture(trigger('x', 'misprint-1'), never()), {
    code: 'DRIVER_BAD_FRAME',
    message: /hex-nut has no defect 'misprint'/,
  })
})

t.test('the defect rate is kept and only listed defects come', async (t) => {
  const rate = 0.3
  const station = shipped({ ...options, width: 8, height: 8, defectRate: rate, defects: ['stain'] })
  await station.rgb.open(never())
  t.teardown(() => station.rgb.close())
  let bad = 0
  const parts = 300
  for (let count = 0; count < parts; count++) {
    const { label } = await station.truthOf(trigger(`rate-${count}`))
    t.ok(label === 'good' || label === 'stain')
    if (label !== 'good') bad++
  }
  // Four standard deviations of the binomial: the draw is seeded, the bound is for whoever changes the seed.
  const tolerance = 4 * Math.sqrt((rate * (1 - rate)) / parts)
  t.ok(Math.abs(bad / parts - rate) < tolerance, `${bad} of ${parts}`)
})

t.test('one sensor goes on when the other is closed', async (t) => {
  const station = await opened(t, shipped)
  await station.xyz.close()
  t.equal((await station.rgb.capture(trigger('alone'), never())).sensor, 'synthetic-rgb')
  await t.rejects(station.xyz.capture(trigger('closed'), never()), { code: 'DRIVER_LOST' })
})

t.test('the truth of a closed station can still be asked', async (t) => {
  const station = shipped(options)
  const kind = CATEGORIES['hex-nut'].defects[0]
  const truth = await station.truthOf(trigger('closed', `${kind}-4`))
  t.equal(truth.label, kind)
  t.equal(truth.mask?.pixels.length, size.width * size.height)
  t.ok(truth.mask?.pixels.some((value) => value !== 0))
})

t.test('what cannot be rendered is a bad frame, not a lost sensor', async (t) => {
  const station = await opened(t, shipped, { width: -8 })
  await t.rejects(station.rgb.capture(trigger('negative'), never()), { code: 'DRIVER_BAD_FRAME' })
})
