/**
 * Scripted faults for drills, tests and the demo: a decorator that makes any driver misbehave. The script is asked
 * at each call, so the faults follow the station's trigger count and not how many calls reach the device.
 */
import { monotonicClock, type Clock } from './clock.ts'
import { DriverError, type Driver, type Trigger } from './driver.ts'
import type { Frame, Modality } from './frame.ts'

export type Fault =
  /** No answer until the caller gives up. */
  | { readonly kind: 'timeout' }
  /** No answer, and the signal is ignored. With `forMs` the frame comes after all, when nobody waits for it. */
  | { readonly kind: 'hang'; readonly forMs?: number }
  /** The device is gone, and comes back when it is reopened. */
  | { readonly kind: 'crash' }
  /** The device is gone and cannot be opened either. */
  | { readonly kind: 'unplugged' }
  /** The last pixels again, with a new number and a new exposure time. */
  | { readonly kind: 'frozen' }
  /** A frame exposed `byMs` before (default 10 s). */
  | { readonly kind: 'late'; readonly byMs?: number }
  /** Rubbish (default `empty`). */
  | { readonly kind: 'bad'; readonly defect?: FrameDefect }

export type FrameDefect = 'empty' | 'size' | 'not-finite' | 'zero' | 'millimetres'

/** A fault for triggers `from` to `to`, both included, counted from 1. */
export type FaultRange = Fault & { readonly from: number; readonly to: number }

export function faultAt(ranges: readonly FaultRange[], ordinal: number): Fault | undefined {
  return ranges.find(({ from, to }) => from <= ordinal && ordinal <= to)
}

/** `make` in, `make` out: the drivers that it returns share the picture that a frozen one repeats. */
export function faulty<M extends Modality>(
  make: () => Driver<M>,
  script: () => Fault | undefined,
  clock: Clock = monotonicClock,
): () => Driver<M> {
  let lastShown: Frame | undefined

  const capture = async (driver: Driver<M>, trigger: Trigger, signal: AbortSignal) => {
    const fault = script()
    const frame = await driver.capture(trigger, signal)
    switch (fault?.kind) {
      case undefined:
      case 'frozen':
        break
      case 'timeout':
        return untilAborted(signal)
      case 'hang':
        await hang(fault.forMs, clock)
        return frame
      case 'crash':
      case 'unplugged':
        throw new DriverError('DRIVER_LOST', `${driver.name} is gone (scripted)`)
      case 'bad':
        return spoil(frame, fault.defect ?? 'empty')
      case 'late':
        return { ...frame, exposedAtMs: frame.exposedAtMs - (fault.byMs ?? 10_000) }
    }
    const shown = fault?.kind === 'frozen' && lastShown ? withSamplesOf(frame, lastShown) : frame
    lastShown = withSamplesOf(shown, shown)
    return shown
  }

  return () => {
    const driver = make()
    return {
      name: driver.name,
      modality: driver.modality,
      async open(signal, onLost) {
        if (script()?.kind === 'unplugged')
          throw new DriverError('DRIVER_UNAVAILABLE', `${driver.name} is not there (scripted)`)
        await driver.open(signal, onLost)
      },
      capture: (trigger, signal) => capture(driver, trigger, signal),
      close: () => driver.close(),
      ...(driver.report && { report: (signal: AbortSignal) => driver.report!(signal) }),
    }
  }
}

function hang(forMs: number | undefined, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (forMs !== undefined) clock.after(forMs, resolve)
  })
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** The frame with a copy of another's samples, its size and all. */
function withSamplesOf<F extends Frame>(frame: F, source: Frame): F {
  const { width, height } = source
  const samples =
    source.modality === 'rgb'
      ? { pixels: source.pixels.slice() }
      : { pointsMetres: source.pointsMetres.slice() }
  return { ...frame, width, height, ...samples }
}

/** A picture has neither NaN nor a unit: it becomes black instead. */
function spoil<F extends Frame>(frame: F, defect: FrameDefect): F {
  switch (defect) {
    case 'empty':
      return withSamples(frame, () => 0, 0)
    case 'size':
      return { ...frame, width: frame.width + 1 }
    case 'not-finite':
      return withSamples(frame, () => NaN)
    case 'zero':
      return withSamples(frame, () => 0)
    case 'millimetres':
      return withSamples(frame, (value) => (frame.modality === 'xyz' ? value * 1000 : 0))
  }
}

function withSamples<F extends Frame>(frame: F, change: (value: number) => number, length?: number): F {
  return frame.modality === 'rgb'
    ? { ...frame, pixels: frame.pixels.slice(0, length).map(change) }
    : { ...frame, pointsMetres: frame.pointsMetres.slice(0, length).map(change) }
}
