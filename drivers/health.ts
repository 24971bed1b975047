/**
 * A sensor's health over time. Condition is a fact about a sample; health only decides whether to wait for a sensor.
 *
 *   starting -> ok         first good frame            starting -> lost      not opened by its deadline
 *   ok -> degraded         `degradedAfter` misses      degraded -> ok        `okAfter` good frames in a row
 *   any -> lost            the device is gone, or `lostAfter` misses that a reopening may cure
 *   lost -> starting       reopened, waiting for the first good frame
 */
import type { DriverErrorCode } from './driver.ts'
import type { Modality } from './frame.ts'

export type HealthState = 'starting' | 'ok' | 'degraded' | 'lost'

export interface Health {
  readonly sensor: string
  readonly modality: Modality
  readonly state: HealthState
  /** When it came into this state, monotonic milliseconds. */
  readonly sinceMs: number
  /** Captures in a row without a usable frame. */
  readonly misses: number
  /** Those of them that a reopening may cure: no frame, or one that says the device is stuck. */
  readonly failures: number
  /** Good frames in a row. */
  readonly goods: number
  /** The last trouble; gone when the sensor is ok. */
  readonly trouble?: Trouble
}

export interface Trouble {
  readonly code: DriverErrorCode
  /** One sentence for a person. */
  readonly detail: string
}

export type HealthEvent =
  | { readonly kind: 'opened' }
  | { readonly kind: 'good' }
  /** No frame, or one that says the device is stuck. */
  | { readonly kind: 'missed'; readonly trouble: Trouble }
  /** The device works, but what it sees is no use: a covered lens, an empty station. Reopening does not help. */
  | { readonly kind: 'rejected'; readonly trouble: Trouble }
  | { readonly kind: 'lost'; readonly trouble: Trouble }

export interface HealthLimits {
  readonly degradedAfter: number
  readonly lostAfter: number
  readonly okAfter: number
}

export function initialHealth(sensor: string, modality: Modality, nowMs: number): Health {
  return { sensor, modality, state: 'starting', sinceMs: nowMs, misses: 0, failures: 0, goods: 0 }
}

export function nextHealth(
  health: Health,
  event: HealthEvent,
  { nowMs, limits }: { nowMs: number; limits: HealthLimits },
): Health {
  const after = count(health, event)
  const state = stateAfter(after, event, limits)
  const { trouble, ...untroubled } = after
  return {
    ...(state === 'ok' || trouble === undefined ? untroubled : { ...untroubled, trouble }),
    state,
    sinceMs: state === health.state ? health.sinceMs : nowMs,
  }
}

function count(health: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case 'opened':
      return { ...health, misses: 0, failures: 0, goods: 0 }
    case 'good':
      return { ...health, misses: 0, failures: 0, goods: health.goods + 1 }
    case 'rejected':
      return { ...health, misses: health.misses + 1, goods: 0, trouble: event.trouble }
    case 'missed':
    case 'lost':
      return {
        ...health,
        misses: health.misses + 1,
        failures: health.failures + 1,
        goods: 0,
        trouble: event.trouble,
      }
  }
}

function stateAfter({ state, ...counts }: Health, event: HealthEvent, limits: HealthLimits): HealthState {
  switch (event.kind) {
    case 'opened':
      return 'starting'
    case 'lost':
      return 'lost'
    case 'good':
      if (state === 'degraded') return counts.goods >= limits.okAfter ? 'ok' : 'degraded'
      return state === 'lost' ? 'lost' : 'ok'
    case 'missed':
    case 'rejected':
      if (state === 'lost' || counts.failures >= limits.lostAfter) return 'lost'
      return state === 'ok' && counts.misses >= limits.degradedAfter ? 'degraded' : state
  }
}
