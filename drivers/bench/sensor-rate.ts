/** How fast and how promptly a driver brings frames, and what it costs the daemon's event loop meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Driver } from '../driver.ts'
import type { Frame } from '../frame.ts'
import { quantile } from '../quantile.ts'

export interface SensorRate {
  readonly askedPerSecond: number
  readonly gotPerSecond: number
  readonly frames: number
  /** Captures that brought none. */
  readonly failed: number
  readonly megabytesPerFrame: number
  /** From the start of exposure to the frame in the caller's hands; absent when the peer does not tell when it exposed. */
  readonly latencyMs?: Quantiles
  /** By how much timers of the event loop were late: what every other part of the daemon felt. */
  readonly eventLoopDelayMs: Quantiles
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

export interface MeasureRateOptions {
  readonly framesPerSecond: number
  readonly seconds: number
  /** Asks at the pace; else frames come by themselves, and none is left out. */
  readonly asks: boolean
  /**
   * The time between exposure and now, for a frame that has just arrived; undefined when nobody knows. The frame's own
   * `exposedAtMs` may be this driver's estimate, and an estimate of the delay must not be measured by itself.
   */
  latencyOf(frame: Frame): number | undefined
  readonly signal: AbortSignal
}

/** The first frames pay for buffers and compilation. */
const WARM_UP_MS = 1000
const CAPTURE_DEADLINE_MS = 2000

/** @param driver open. Rejects with the signal's reason, or with the last capture's error when no frame comes at all. */
export async function measureRate(
  driver: Driver<'rgb'> | Driver<'xyz'>,
  { framesPerSecond, seconds, asks, latencyOf, signal }: MeasureRateOptions,
): Promise<SensorRate> {
  const periodMs = 1000 / framesPerSecond
  const loop = monitorEventLoopDelay({ resolution: 1 })
  const latencies: number[] = []
  let [frames, failed, bytes, lastExposedMs] = [0, 0, 0, performance.now()]
  let error: unknown
  const warmUntilMs = performance.now() + WARM_UP_MS
  let startedMs: number | undefined
  for (let shot = 0; ; shot++) {
    const nowMs = performance.now()
    if (startedMs === undefined && nowMs >= warmUntilMs) {
      startedMs = nowMs
      loop.enable()
    }
    if (startedMs !== undefined && nowMs - startedMs >= seconds * 1000) break
    const atMs = asks ? nowMs : lastExposedMs + 0.001
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(CAPTURE_DEADLINE_MS)])
    try {
      const frame: Frame = await driver.capture({ id: `bench-${shot}`, atMs, source: 'bench' }, deadline)
      lastExposedMs = frame.exposedAtMs
      if (startedMs !== undefined) {
        const latencyMs = latencyOf(frame)
        if (latencyMs !== undefined) latencies.push(latencyMs)
        frames++
        bytes = bytesOf(frame)
      }
    } catch (reason) {
      signal.throwIfAborted()
      error = reason
      failed++
    }
    if (asks) await pause(periodMs - (performance.now() - nowMs))
  }
  loop.disable()
  if (frames === 0) throw error ?? new Error(`${driver.name} brought no frame`)
  const tookMs = performance.now() - startedMs
  return {
    askedPerSecond: framesPerSecond,
    gotPerSecond: (1000 * frames) / tookMs,
    frames,
    failed,
    megabytesPerFrame: bytes / 1e6,
    ...(latencies.length > 0 && { latencyMs: quantilesOf(latencies) }),
    eventLoopDelayMs: {
      p50: excess(loop.percentile(50)),
      p99: excess(loop.percentile(99)),
      worst: excess(loop.max),
    },
  }
}

/** What the monitor measures is its timer's whole period of a millisecond. */
const excess = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - 1)

const bytesOf = (frame: Frame): number =>
  frame.modality === 'rgb' ? frame.pixels.byteLength : frame.pointsMetres.byteLength

function quantilesOf(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => quantile(sorted, share)!
  return { p50: at(0.5), p99: at(0.99), worst: at(1) }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)))
