import fc from 'fast-check'
import t from 'tap'
import { CONFIRMING_FRAMES, CONFIRMING_MS, DeviceClock, DRIFT } from '../../drivers/device-clock.ts'

const seed = Number(process.env.FAST_CHECK_SEED ?? 20_261)
const PATH_MS = 20

/** Frames every `everyMs` of a device whose clock is `aheadMs` from ours. */
function device({ aheadMs = 5e8, everyMs = 500, isWallClock = false } = {}) {
  const clock = new DeviceClock({ pathMs: PATH_MS, isWallClock })
  let atMs = 1000
  return {
    aheadMs,
    /** @returns how much later than it was the exposure is taken to have been. */
    frame({ lateMs = 0, stampMs = 0 } = {}) {
      atMs += everyMs
      const { exposedAtMs, remark } = clock.read(stampMs || atMs + this.aheadMs, atMs + PATH_MS + lateMs)
      return { errorMs: Math.round(1000 * (exposedAtMs - atMs)) / 1000, code: remark?.code, remark }
    },
    /** The device is silent. */
    pause: (ms: number) => void (atMs += ms),
  }
}

t.test('a device without stamps: the arrival less the way', async (t) => {
  const clock = new DeviceClock({ pathMs: PATH_MS })
  for (const stamp of [undefined, 0, NaN, Infinity]) t.same(clock.read(stamp, 500), { exposedAtMs: 480 })
  t.same(new DeviceClock().read(undefined, 500), { exposedAtMs: 500 })
})

t.test('a frame that comes late was exposed no later for it', async (t) => {
  const camera = device()
  t.match(camera.frame(), { errorMs: 0, code: undefined })
  for (const lateMs of [1, 40, 1900, 3000, 8000]) {
    const { errorMs, code } = camera.frame({ lateMs })
    t.ok(errorMs <= 2 * DRIFT * 10_000, `${lateMs} ms late: ${errorMs}`)
    t.equal(code, undefined, 'a slow network is no clock that was set')
  }
  // The same after a night without a part.
  camera.pause(8 * 3_600_000)
  t.ok(camera.frame({ lateMs: 5000 }).errorMs <= 8 * 3_600_000 * DRIFT + 1)
})

t.test('a backlog that drains is none either', async (t) => {
  const camera = device({ everyMs: 40 })
  camera.frame()
  for (let lateMs = 6000; lateMs > 0; lateMs -= 20) {
    const { errorMs, code } = camera.frame({ lateMs })
    t.equal(code, undefined)
    t.ok(errorMs < 5, `${lateMs}: ${errorMs}`)
  }
})

t.test(
  'a clock that is set is noticed with the first frame when the stamps tell, and else with the fifth',
  async (t) => {
    for (const byMs of [-1e9, -3600_000, -2600, -600, 2600, 3600_000, 1e9]) {
      const camera = device()
      camera.frame()
      camera.aheadMs += byMs
      t.match(camera.frame({ lateMs: 3 }), {
        errorMs: 3,
        code: 'clock-step',
        remark: { detail: byMs < 0 ? /set .* s back$/ : /forward$/, degrades: false },
      })
      t.equal(camera.frame({ lateMs: 1 }).code, undefined)
    }
    // Set back while it was silent: the stamps go on.
    const camera = device({ everyMs: CONFIRMING_MS / (CONFIRMING_FRAMES - 1) })
    camera.frame()
    camera.pause(20_000)
    camera.aheadMs -= 10_000
    for (let frame = 1; frame < CONFIRMING_FRAMES; frame++) {
      const { errorMs, code } = camera.frame({ lateMs: frame })
      t.ok(errorMs < -9_900, 'it counts as old')
      t.equal(code, undefined)
    }
    const fifth = camera.frame({ lateMs: 5 })
    t.match(fifth, { code: 'clock-step', remark: { detail: /(9\.9|10\.0)\d+ s back/ } })
    t.ok(fifth.errorMs >= 1 && fifth.errorMs < 1.5, 'the least of the late ones')
  },
)

t.test('late frames of other delays begin the count anew', async (t) => {
  const camera = device()
  camera.frame()
  for (let frame = 0; frame < 20; frame++) {
    t.equal(camera.frame({ lateMs: frame % 2 === 0 ? 3000 : 4000 }).code, undefined)
  }
})

t.test('a clock that stands still, and goes again', async (t) => {
  const camera = device()
  camera.frame()
  camera.frame({ stampMs: 77 })
  t.match(camera.frame({ stampMs: 77, lateMs: 4 }), { errorMs: 4, code: 'clock-stopped' })
  t.match(
    camera.frame({ stampMs: 78, lateMs: 2 }),
    { errorMs: 2, code: undefined },
    'minutes behind, known at once',
  )
})

t.test('a clock that nobody has set says so with every frame', async (t) => {
  const camera = device({ aheadMs: 86_400_000, isWallClock: true })
  t.match(camera.frame(), { errorMs: 0, code: 'clock-unset', remark: { detail: /1970-01-02T/ } })
  t.match(camera.frame(), { code: 'clock-unset' })
  camera.aheadMs = Date.UTC(2031)
  t.match(camera.frame(), { errorMs: 0, code: 'clock-step' })
  t.equal(camera.frame().code, undefined)
  const absurd = new DeviceClock({ isWallClock: true })
  t.match(absurd.read(-9e15, 5), { remark: { detail: /-9000000000000000 ms/ } })
  t.equal(device({ aheadMs: 86_400_000 }).frame().code, undefined, 'a counter may start where it likes')
})

const jitter = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.double({ min: 0, max: 10, noNaN: true }) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1900, noNaN: true }) },
  ),
  { minLength: 1, maxLength: 300 },
)

t.test(
  `under jitter and 100 ppm of drift an exposure is never called older than it was (seed ${seed})`,
  async (t) => {
    const property = fc.property(
      jitter,
      fc.constantFrom(-DRIFT, 0, DRIFT),
      fc.integer({ min: 20, max: 90_000 }),
      (delaysMs, drift, everyMs) => {
        const clock = new DeviceClock({ pathMs: PATH_MS })
        const best: { atMs: number; lateMs: number }[] = []
        for (const [index, lateMs] of delaysMs.entries()) {
          const atMs = 1000 + index * everyMs
          const arrivedAtMs = atMs + PATH_MS + lateMs
          const { exposedAtMs, remark } = clock.read(atMs * (1 + drift) - 4e6, arrivedAtMs)
          best.push({ atMs, lateMs })
          const errorMs = exposedAtMs - atMs
          // Every one of the recent frames bounds the error.
          const recent = best.slice(-CONFIRMING_FRAMES)
          const bound = Math.min(...recent.map((one) => one.lateMs + 2 * DRIFT * (atMs - one.atMs + 2000)))
          if (exposedAtMs > arrivedAtMs) throw new Error('after its arrival')
          if (errorMs < -0.5 || errorMs > bound + 0.5) throw new Error(`${index}: ${errorMs}, bound ${bound}`)
          if (remark !== undefined) throw new Error(`${remark.code} ${index}`)
        }
      },
    )
    fc.assert(property, { seed, numRuns: 300, includeErrorInReport: true })
    t.pass()
  },
)

t.test(`after any step the fifth frame is right again, if it takes two seconds (seed ${seed})`, async (t) => {
  const step = fc.oneof(fc.integer({ min: -1e9, max: -2500 }), fc.integer({ min: 2500, max: 1e9 }))
  const property = fc.property(step, fc.integer({ min: 500, max: 30_000 }), jitter, (byMs, everyMs, late) => {
    const camera = device({ everyMs })
    for (const lateMs of late) camera.frame({ lateMs: Math.min(lateMs, 10) })
    camera.aheadMs += byMs
    let noticed = 0
    for (let frame = 1; frame <= CONFIRMING_FRAMES + 3; frame++) {
      const lateMs = late[frame % late.length]! % 10
      const { errorMs, code } = camera.frame({ lateMs })
      if (code === 'clock-step') noticed++
      if (errorMs > lateMs + 0.01) throw new Error(`${frame}: ${errorMs} ms, fresher than its arrival says`)
      if (frame >= CONFIRMING_FRAMES && errorMs < -1) throw new Error(`${frame}: still ${errorMs}`)
    }
    if (noticed !== 1) throw new Error(`noticed ${noticed} times`)
  })
  fc.assert(property, { seed, numRuns: 300, includeErrorInReport: true })
  t.pass()
})

t.test(
  `whatever the stamps: no exposure after its arrival, and always a number (seed ${seed})`,
  async (t) => {
    const stamps = fc.array(fc.oneof(fc.double(), fc.integer(), fc.constant(undefined)), { maxLength: 60 })
    const property = fc.property(stamps, fc.boolean(), (all, isWallClock) => {
      const clock = new DeviceClock({ pathMs: PATH_MS, isWallClock })
      for (const [index, stamp] of all.entries()) {
        const arrivedAtMs = 1000 + index * 40
        const { exposedAtMs } = clock.read(stamp, arrivedAtMs)
        if (!(exposedAtMs <= arrivedAtMs)) throw new Error(`${exposedAtMs} after ${arrivedAtMs}`)
      }
    })
    fc.assert(property, { seed, numRuns: 1000, includeErrorInReport: true })
    t.pass()
  },
)
