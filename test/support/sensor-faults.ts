/**
 * What a sensor's failure costs, measured on a rig with a real peer: how soon the modality is missing and why, how soon
 * it is back, and what is left behind. One row each for docs/sensor-faults.md, kept in $SENSOR_FAULTS_OUT when that is set.
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { Test } from 'tap'
import type { Driver } from '../../drivers/driver.ts'
import type { Modality } from '../../drivers/frame.ts'
import { openRig, type RigOptions, type SensorOptions } from '../../drivers/rig.ts'
import type { AbsenceReason, Sample } from '../../drivers/sample.ts'
import { machineStalls } from './machine-stalls.ts'

/** The names; the page lists them in this order. */
export const SENSOR_FAULTS = [
  'killed',
  'stopped',
  'cable out',
  'absent at start',
  'back after 10 s',
  'slow',
  'half frames',
  'wrong size',
  'packet loss 2 ‰',
] as const
export type SensorFault = (typeof SENSOR_FAULTS)[number]

export interface SensorFaultCase<M extends Modality> {
  readonly adapter: string
  readonly fault: SensorFault
  readonly modality: M
  /** A closed driver; called for each opening. */
  make(): Driver<M>
  /** Starts the peer. Not called first when the fault is `absent at start`. */
  start(): Promise<void>
  /** Makes the fault while triggers come; returns at the instant from which it holds. */
  fail(): Promise<void>
  /** Mends it; returns at the instant from which the peer is there again. Default: `start`. */
  mend?(): Promise<void>
  /** Ends the peer, in whatever state it is, and what it holds in this process. */
  stop(): Promise<void>
  /** How long it stays failed after the modality was missing. Default 0; `back after 10 s` has its 10 s. */
  readonly lastsMs?: number
  /** Why the modality may be absent. */
  readonly reasons: readonly AbsenceReason[]
  /** Between triggers, and between frames. */
  readonly periodMs: number
  /** Of the capture. Default: the larger of three periods and 400 ms. */
  readonly deadlineMs?: number
  readonly supervision?: SensorOptions<M>['supervision']
  readonly rig?: Partial<Omit<RigOptions, 'rgb' | 'xyz'>>
  readonly limits?: SensorOptions<M>['limits']
  readonly freezeCheck?: boolean
}

export interface SensorFaultRow {
  readonly adapter: string
  readonly fault: SensorFault
  /** The fault's place in SENSOR_FAULTS. */
  readonly order: number
  readonly periodMs: number
  /** From the fault to the end of the first capture without the modality. */
  readonly missingMs: number
  readonly reason: AbsenceReason
  readonly detail: string
  /** From the peer's return to the first good sample. */
  readonly recoveredMs: number
  /** The longest that the line waited for this sensor while it was faulty. */
  readonly worstCaptureMs: number
  readonly closeMs: number
  readonly leakedProcesses: number
  readonly leakedDescriptors: number
}

/** The mission's bounds. */
export const detectionLimitMs = (periodMs: number): number => Math.max(3 * periodMs, 500)
export const RECOVERY_LIMIT_MS = 5000
const OUT = process.env['SENSOR_FAULTS_OUT']
/**
 * Timers are late by so much, and by what the machine itself stood still. The bounds are held where nothing else runs, which
 * is where rows are kept; beside other tests on two cores they say something about those.
 */
const SLACK_MS = OUT === undefined ? 2500 : 250
const GIVE_UP_MS = 30_000

/** Runs one case, checks the bounds and keeps the row. `stop` is called at the end, perhaps twice. */
export async function measureSensorFault<M extends Modality>(
  t: Test,
  options: SensorFaultCase<M>,
): Promise<SensorFaultRow> {
  const { adapter, fault, modality, periodMs } = options
  const deadlineMs = options.deadlineMs ?? Math.max(3 * periodMs, 400)
  const isAbsentAtStart = fault === 'absent at start'
  const stalls = await machineStalls(t)
  const before = held()
  if (!isAbsentAtStart) await options.start()
  const sensor: SensorOptions<M> = {
    make: options.make,
    supervision: { deadlineMs, openDeadlineMs: 5000, ...options.supervision },
    ...(options.limits && { limits: options.limits }),
    ...(options.freezeCheck !== undefined && { freezeCheck: options.freezeCheck }),
  }
  const signal = new AbortController().signal
  const rig = await openRig(
    { [modality]: sensor, skewToleranceMs: 1000, staleMs: 20, ...options.rig },
    signal,
  )
  let shots = 0
  const shoot = async (): Promise<{ sample: Sample; tookMs: number }> => {
    const atMs = performance.now()
    const sample = await rig.capture({ id: `fault-${++shots}`, atMs, source: 'bench' }, signal)
    return { sample, tookMs: performance.now() - atMs }
  }
  /** Triggers at the line's pace until a sample is as wanted. */
  const shootUntil = async (what: string, isDone: (sample: Sample) => boolean) => {
    const sinceMs = performance.now()
    let worstMs = 0
    for (;;) {
      const { sample, tookMs } = await shoot()
      worstMs = Math.max(worstMs, tookMs)
      if (isDone(sample)) return { sample, worstMs, atMs: performance.now() }
      if (performance.now() - sinceMs > GIVE_UP_MS) {
        throw new Error(
          `${adapter}, ${fault}: not ${what} within ${GIVE_UP_MS} ms: ${JSON.stringify(sample.absent)}`,
        )
      }
      await pause(periodMs - tookMs)
    }
  }
  const isPresent = (sample: Sample): boolean => sample.frames[modality] !== undefined

  try {
    if (!isAbsentAtStart) await shootUntil('good before the fault', isPresent)
    if (!isAbsentAtStart) await options.fail()
    const failedAtMs = performance.now()
    const missing = await shootUntil('missing', (sample) => !isPresent(sample))
    const lastsMs = options.lastsMs ?? (fault === 'back after 10 s' ? 10_000 : 0)
    let worstMs = missing.worstMs
    while (performance.now() - failedAtMs < lastsMs) {
      const { sample, tookMs } = await shoot()
      worstMs = Math.max(worstMs, tookMs)
      t.notOk(isPresent(sample), 'nothing comes from a sensor that is not there')
      await pause(periodMs - tookMs)
    }
    await (options.mend ?? options.start)()
    const mendedAtMs = performance.now()
    const back = await shootUntil('back', isPresent)
    worstMs = Math.max(worstMs, back.worstMs)
    const closingAtMs = performance.now()
    await rig.close()
    const closeMs = performance.now() - closingAtMs
    await options.stop()
    const after = await heldAtRest(before)
    const absence = missing.sample.absent[modality]!
    const row: SensorFaultRow = {
      adapter,
      fault,
      order: SENSOR_FAULTS.indexOf(fault),
      periodMs,
      missingMs: Math.round(missing.atMs - failedAtMs),
      ...absence,
      recoveredMs: Math.round(back.atMs - mendedAtMs),
      worstCaptureMs: Math.round(worstMs),
      closeMs: Math.round(closeMs),
      leakedProcesses: Math.max(0, after.processes - before.processes),
      leakedDescriptors: Math.max(0, after.descriptors - before.descriptors),
    }
    const slackMs = SLACK_MS + stalls.longestMs()
    t.comment(JSON.stringify(row))
    t.ok(options.reasons.includes(row.reason), `absent because ${row.reason}: ${row.detail}`)
    t.ok(row.missingMs <= detectionLimitMs(periodMs) + slackMs, `missing after ${row.missingMs} ms`)
    t.ok(row.recoveredMs <= RECOVERY_LIMIT_MS + slackMs, `back after ${row.recoveredMs} ms`)
    t.ok(row.worstCaptureMs <= deadlineMs + slackMs, `the line waited ${row.worstCaptureMs} ms at most`)
    t.ok(row.closeMs <= 6000 + slackMs, `closed in ${row.closeMs} ms`)
    t.match(row, { leakedProcesses: 0, leakedDescriptors: 0 }, 'nothing is left behind')
    if (OUT !== undefined) appendFileSync(OUT, `${JSON.stringify(row)}\n`)
    return row
  } finally {
    await rig.close()
    await options.stop()
  }
}

interface Held {
  readonly processes: number
  readonly descriptors: number
}

/** Children of this process that run, and its open file descriptors. */
function held(): Held {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim()
  return {
    processes: children === '' ? 0 : children.split(' ').filter((pid) => !isZombie(pid)).length,
    descriptors: readdirSync('/proc/self/fd').length,
  }
}

function isZombie(pid: string): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

/** What was closed may take a few turns to go; what never goes is the leak. */
async function heldAtRest(before: Held): Promise<Held> {
  let now = held()
  for (let turn = 0; turn < 200; turn++) {
    if (now.processes <= before.processes && now.descriptors <= before.descriptors) break
    await pause(10)
    now = held()
  }
  return now
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)))
