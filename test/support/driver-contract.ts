/**
 * The conformance suite of drivers/driver.ts: every driver must pass it.
 *
 *   driverContract(t, { make: () => syntheticStation({ … }).xyz! })
 */
import type { Test } from 'tap'
import { monotonicClock, type Clock } from '../../drivers/clock.ts'
import type { Driver, Trigger } from '../../drivers/driver.ts'
import type { Frame, FrameOf, Modality } from '../../drivers/frame.ts'

export interface DriverContract<M extends Modality> {
  /** A fresh, closed driver. Called once per case. */
  make(): Driver<M>
  /** A driver whose capture waits for ever, but obeys its signal; shows that an abort ends a wait that is under way. */
  makeWaiting?(): Driver<M>
  /** Undoes what `make` made outside the driver, e.g. closes a shared station. Called after each case. */
  cleanup?(): Promise<void>
  size?: { width: number; height: number }
  /** How long before the trigger an exposure may have begun. Default 0. */
  toleranceMs?: number
  /** The clock that `exposedAtMs` is read on. Default: the process's. */
  clock?: Clock
}

const never = () => new AbortController().signal

/** The frame's samples, whatever its modality. */
export function samplesOf(frame: Frame): Uint8Array | Float32Array {
  return frame.modality === 'rgb' ? frame.pixels : frame.pointsMetres
}

export function driverContract<M extends Modality>(t: Test, contract: DriverContract<M>): void {
  const clock = contract.clock ?? monotonicClock
  let ordinal = 0
  const trigger = (): Trigger => ({
    id: `contract-${String(++ordinal).padStart(4, '0')}`,
    atMs: clock.now(),
    source: 'bench',
  })

  const onDriver = (title: string, body: (t: Test, driver: Driver<M>) => Promise<void>) =>
    t.test(`contract: ${title}`, async (t) => {
      const driver = contract.make()
      try {
        await body(t, driver)
      } finally {
        await driver.close()
        await contract.cleanup?.()
      }
    })

  const wellFormed = (t: Test, frame: FrameOf<M>, driver: Driver<M>, asked: Trigger) => {
    t.equal(frame.modality, driver.modality, 'the frame has the driver’s modality')
    t.equal(frame.sensor, driver.name, 'the frame names its sensor')
    t.ok(Number.isInteger(frame.width) && frame.width > 0, `width ${frame.width} is a positive integer`)
    t.ok(Number.isInteger(frame.height) && frame.height > 0, `height ${frame.height} is a positive integer`)
    if (contract.size) t.match(frame, contract.size, 'the frame has the promised size')
    const samples = samplesOf(frame)
    t.equal(samples.length, frame.width * frame.height * 3, 'the buffer holds three samples per pixel')
    if (driver.modality === 'rgb') t.ok(samples instanceof Uint8Array, 'pixels are bytes')
    else t.same(faultOfPoints(samples), undefined, 'points are finite, in metres, (0,0,0) where missing')
    const earliestMs = asked.atMs - (contract.toleranceMs ?? 0)
    t.ok(
      frame.exposedAtMs >= earliestMs && frame.exposedAtMs <= clock.now(),
      `exposed at ${frame.exposedAtMs}, between the trigger (${earliestMs}) and now (${clock.now()})`,
    )
  }

  onDriver('capture before open rejects', async (t, driver) => {
    await t.rejects(driver.capture(trigger(), never()))
  })

  onDriver('open and close may be called twice, in any state', async (t, driver) => {
    await driver.close()
    await driver.open(never())
    await driver.open(never())
    const asked = trigger()
    wellFormed(t, await driver.capture(asked, never()), driver, asked)
    await driver.close()
    await driver.close()
  })

  onDriver('frames are well-formed, their numbers and exposure times rise', async (t, driver) => {
    await driver.open(never())
    let last: FrameOf<M> | undefined
    for (let i = 0; i < 3; i++) {
      const asked = trigger()
      const frame = await driver.capture(asked, never())
      wellFormed(t, frame, driver, asked)
      if (last) {
        t.ok(frame.sequence > last.sequence, `sequence rises: ${last.sequence}, ${frame.sequence}`)
        t.ok(frame.exposedAtMs >= last.exposedAtMs, 'exposure time does not go back')
      }
      last = frame
    }
  })

  onDriver('the frame’s buffer belongs to the caller', async (t, driver) => {
    await driver.open(never())
    const first = samplesOf(await driver.capture(trigger(), never()))
    // Transfer it away, as the inference host's client may: the driver must not need it any more.
    structuredClone(first, { transfer: [first.buffer as ArrayBuffer] })
    t.equal(first.length, 0, 'the first buffer is gone')
    const asked = trigger()
    const second = await driver.capture(asked, never())
    wellFormed(t, second, driver, asked)
    const kept = samplesOf(second).slice()
    samplesOf(await driver.capture(trigger(), never())).fill(7)
    t.same(samplesOf(second), kept, 'a later frame does not write into an earlier one')
  })

  onDriver('an abort that came before rejects with the signal’s reason', async (t, driver) => {
    const reason = new Error('the line stopped')
    await t.rejects(driver.open(AbortSignal.abort(reason)), reason)
    await driver.open(never())
    await t.rejects(driver.capture(trigger(), AbortSignal.abort(reason)), reason)
    const asked = trigger()
    wellFormed(t, await driver.capture(asked, never()), driver, asked)
  })

  onDriver('an abort under way ends the capture, with a frame or the signal’s reason', async (t, driver) => {
    await driver.open(never())
    const control = new AbortController()
    const reason = new Error('the line stopped')
    const outcome = settled(driver.capture(trigger(), control.signal))
    control.abort(reason)
    const { value, error } = await outcome
    if (value === undefined) t.equal(error, reason)
    else t.equal(value.modality, driver.modality)
  })

  onDriver('two captures at once are queued or refused, never mixed', async (t, driver) => {
    await driver.open(never())
    const outcomes = await Promise.all([
      settled(driver.capture(trigger(), never())),
      settled(driver.capture(trigger(), never())),
    ])
    const frames = outcomes.flatMap(({ value }) => (value === undefined ? [] : [value]))
    t.ok(frames.length > 0, 'at least one of them got its frame')
    t.equal(
      new Set(frames.map((frame) => samplesOf(frame).buffer)).size,
      frames.length,
      'buffers are not shared',
    )
    t.equal(
      new Set(frames.map((frame) => frame.sequence)).size,
      frames.length,
      'sequence numbers are not shared',
    )
    const asked = trigger()
    wellFormed(t, await driver.capture(asked, never()), driver, asked)
  })

  onDriver('after close nothing arrives, and capture rejects', async (t, driver) => {
    await driver.open(never())
    let isSettled = false
    const capture = settled(driver.capture(trigger(), never())).then((outcome) => {
      isSettled = true
      return outcome
    })
    await driver.close()
    await new Promise(setImmediate)
    t.ok(isSettled, 'the capture under way was settled by the time close had resolved')
    await capture
    await t.rejects(driver.capture(trigger(), never()))
  })

  onDriver('a closed driver can be opened again', async (t, driver) => {
    for (let i = 0; i < 2; i++) {
      await driver.open(never())
      const asked = trigger()
      wellFormed(t, await driver.capture(asked, never()), driver, asked)
      await driver.close()
    }
  })

  t.test('contract: nothing of the device is held after close', async (t) => {
    // The first round may start what lives as long as the process (a thread pool, a module's worker): not a leak.
    let before: string[] = []
    for (let round = 0; round < 3; round++) {
      const driver = contract.make()
      try {
        await driver.open(never())
        await driver.capture(trigger(), never())
      } finally {
        await driver.close()
        await contract.cleanup?.()
      }
      if (round === 0) before = await resourcesAtRest()
    }
    t.same(await resourcesAtRest(before), before)
  })

  const { makeWaiting } = contract
  if (!makeWaiting) return
  t.test('contract: an abort ends a capture that waits', async (t) => {
    const driver = makeWaiting()
    await driver.open(never())
    const control = new AbortController()
    const reason = new Error('the line stopped')
    const outcome = settled(driver.capture(trigger(), control.signal))
    await new Promise(setImmediate)
    control.abort(reason)
    t.equal((await outcome).error, reason)
    await driver.close()
    await contract.cleanup?.()
  })
}

/** What is wrong with a point map, if anything. */
function faultOfPoints(points: Float32Array | Uint8Array): string | undefined {
  if (!(points instanceof Float32Array)) return 'points are not 32-bit floats'
  let present = 0
  for (const value of points) {
    if (!Number.isFinite(value)) return 'a coordinate is not finite'
    if (Math.abs(value) > 100) return `a coordinate of ${value} is hardly in metres`
    if (value !== 0) present++
  }
  return present === 0 ? 'no pixel has a point' : undefined
}

async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

/** Handles and requests that keep a process alive. The loop's own immediates and the test runner's pipes are not ours. */
async function resourcesAtRest(expected?: readonly string[]): Promise<string[]> {
  let resources: string[] = []
  // What was closed may take a few turns of the event loop to go; what never goes is the leak.
  for (let turn = 0; turn < 200; turn++) {
    await new Promise(setImmediate)
    resources = process
      .getActiveResourcesInfo()
      .filter((kind) => !['Immediate', 'TickObject', 'PipeWrap', 'TTYWrap', 'Pipe'].includes(kind))
      .sort()
    if (expected !== undefined && resources.join() === expected.join()) break
  }
  return resources
}
