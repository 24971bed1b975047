/**
 * 10,000 triggers ($TRIGGERS, fewer by default) against two real bridges, which are killed, stopped, garbled and slowed at random: one verdict each, in
 * order, and what a verdict says was seen was exposed for its trigger. The bridges write the stamp into the pixels.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import t from 'tap'
import { BridgeDriver } from '../../drivers/bridge.ts'
import { monotonicClock } from '../../drivers/clock.ts'
import type { Frame, Modality } from '../../drivers/frame.ts'
import { randomFrom } from '../../drivers/random.ts'
import { openRig } from '../../drivers/rig.ts'
import type { Sample } from '../../drivers/sample.ts'
import type { Inspection } from '../../models/inspection.ts'
import type { VerdictPayload } from '../../runtime/messages.ts'
import { openOutbox } from '../../runtime/outbox.ts'
import { runStation } from '../../runtime/station.ts'
import { topicsOf } from '../../runtime/topics.ts'
import { makeDecided } from '../support/inspected.ts'

t.setTimeout(600_000)

const TRIGGERS = Number(process.env['TRIGGERS'] ?? 2000)
/** A fault for one of so many triggers. */
const FAULT_EVERY = 150
const CAPTURE_MS = 150
const VERDICT_MS = 2000
const PYTHON = '/usr/bin/python3'
const never = new AbortController().signal

const hasPeer = spawnSync(PYTHON, ['-c', 'import numpy']).status === 0
if (!hasPeer && process.env['CI'] !== undefined) t.fail('CI must have Python with numpy (python3-numpy)')

t.test(
  `${TRIGGERS} triggers, one verdict each, whatever becomes of the sensors`,
  { skip: !hasPeer && 'Python with numpy is not installed (python3-numpy)' },
  async (t) => {
    const folder = t.testdir()
    const pidFile = { rgb: join(folder, 'rgb.pid'), xyz: join(folder, 'xyz.pid') }
    const sensorOf = <M extends Modality>(modality: M) => ({
      make: () =>
        new BridgeDriver({
          name: modality,
          modality,
          address: {
            command: [
              PYTHON,
              fileURLToPath(new URL('../support/stamping-bridge.py', import.meta.url)),
              fileURLToPath(new URL('../../drivers/bridges', import.meta.url)),
              modality === 'rgb' ? 'Mono8' : 'ABC32f',
              pidFile[modality],
            ],
          },
          trigger: { kind: 'software' },
          settings: {},
        }),
      supervision: {
        deadlineMs: CAPTURE_MS,
        openDeadlineMs: 5000,
        backoff: { firstMs: 50, maxMs: 200 },
      },
    })
    const rig = await openRig(
      { rgb: sensorOf('rgb'), xyz: sensorOf('xyz'), skewToleranceMs: CAPTURE_MS, staleMs: 1 },
      never,
    )
    const outbox = openOutbox(join(folder, 'outbox.sqlite'), {
      maxVerdicts: 100_000,
      maxBytes: 2 ** 28,
      clock: monotonicClock,
      onDurability: ({ durability }) => t.equal(durability, 'durable'),
    })
    const random = randomFrom(5, 'faults')
    const faults: Record<string, number> = {}
    const mends: Promise<void>[] = []
    /** What a technician, a cable and an SDK do. */
    const disturb = (): void => {
      const modality = random.pick(['rgb', 'xyz'] as const)
      const signal = random.pick(['SIGKILL', 'SIGSTOP', 'SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const)
      const pid = Number(readFileSync(pidFile[modality], 'utf8'))
      if (!send(pid, signal)) return // It is being started again.
      faults[signal] = (faults[signal] ?? 0) + 1
      if (signal !== 'SIGSTOP') return
      const forMs = random.between(20, 520)
      mends.push(pause(forMs).then(() => void send(pid, 'SIGCONT')))
    }

    const told: { verdict: VerdictPayload; problems: string[] }[] = []
    const seen = new Set<bigint>()
    const asked: string[] = []
    await runStation({
      site: 'plant',
      station: 'cell',
      product: 'nut',
      runId: 'run',
      topics: topicsOf('plant', 'cell'),
      sensors: { rgb: 'rgb', xyz: 'xyz' },
      policy: { complete: 'decide', 'rgb-only': 'decide', 'xyz-only': 'decide', none: 'review' },
      feeds: [
        async (ask) => {
          for (let i = 0; i < TRIGGERS; i++) {
            if (random.chance(1 / FAULT_EVERY)) disturb()
            const { triggerId, verdict } = ask({ source: 'bench' })
            asked.push(triggerId)
            // While both are being started again thousands of triggers would have nothing to show.
            if ((await verdict).condition === 'none') await pause(20)
          }
        },
      ],
      rig,
      inspector: { inspect: (sample) => Promise.resolve(inspectionOf(sample)) },
      outbox,
      publisher: {
        wake: () => undefined,
        pictureObstacle: () => 'offline',
        offerPictures: () => undefined,
      },
      deadlines: { verdictMs: VERDICT_MS, shutdownMs: 5000 },
      delayToleranceMs: 500,
      maxWaiting: 4,
      heatmap: { publish: 'never', overlay: false, maxSize: 100 },
      clock: monotonicClock,
      log: pino({ level: 'silent' }),
      signal: never,
      onVerdict: (verdict, { sample }) => told.push({ verdict, problems: problemsOf(verdict, sample, seen) }),
    })
    await Promise.all(mends)
    await rig.close()
    outbox.close()

    const conditions: Record<string, number> = {}
    for (const { verdict } of told) conditions[verdict.condition] = (conditions[verdict.condition] ?? 0) + 1
    t.comment(JSON.stringify({ conditions, faults, frames: seen.size }))
    t.same(
      told.map(({ verdict }) => verdict.triggerId),
      asked,
      'one verdict for each trigger, in their order',
    )
    t.same(
      told.map(({ verdict }) => verdict.seq),
      asked.map((_, index) => index + 1),
      'numbered without a gap',
    )
    t.same(
      told.flatMap(({ problems }) => problems),
      [],
      'what was seen is what was exposed for the trigger',
    )
    for (const condition of ['complete', 'rgb-only', 'xyz-only']) {
      t.ok((conditions[condition] ?? 0) > TRIGGERS / 200, `${condition}: ${conditions[condition]}`)
    }
    if (TRIGGERS >= 10_000) t.equal(Object.keys(faults).length, 5, 'every kind of fault was made')
    const worstMs = Math.max(...told.map(({ verdict }) => verdict.timingMs['total'] ?? 0))
    t.ok(worstMs <= VERDICT_MS, `the slowest verdict came after ${worstMs.toFixed(0)} ms`)
  },
)

function inspectionOf(sample: Sample): Inspection {
  const { condition, absent } = sample
  if (condition === 'none') {
    return { kind: 'undecided', condition, absent, reason: 'nothing-captured', detail: 'no frame', flags: [] }
  }
  return makeDecided({ condition, absent })
}

/** Does the verdict tell the truth about the frames? */
function problemsOf(verdict: VerdictPayload, sample: Sample, seen: Set<bigint>): string[] {
  const problems: string[] = []
  const nowMs = monotonicClock.now()
  for (const modality of ['rgb', 'xyz'] as const) {
    const frame = sample.frames[modality]
    const isOk = verdict.modalities[modality]?.state === 'ok'
    const isIn = verdict.condition === 'complete' || verdict.condition === `${modality}-only`
    if (isOk !== (frame !== undefined) || isOk !== isIn) {
      problems.push(`${verdict.triggerId}: ${modality} is ${isOk ? 'ok' : 'not ok'} as ${verdict.condition}`)
    }
    if (frame === undefined) continue
    const stampNs = stampOf(frame)
    const exposedAtMs = Number(stampNs - ZERO_NS) / 1e6
    if (seen.has(stampNs)) problems.push(`${verdict.triggerId}: the ${modality} frame came before`)
    seen.add(stampNs)
    if (exposedAtMs < sample.trigger.atMs - 1 || exposedAtMs > nowMs) {
      problems.push(
        `${verdict.triggerId}: ${modality} exposed ${exposedAtMs - sample.trigger.atMs} ms after it`,
      )
    }
    if (Math.abs(exposedAtMs - frame.exposedAtMs) > 1) {
      problems.push(`${verdict.triggerId}: ${modality} says ${frame.exposedAtMs}, was exposed ${exposedAtMs}`)
    }
  }
  return problems
}

/** CLOCK_MONOTONIC where `performance.now()` has its zero. */
const ZERO_NS = process.hrtime.bigint() - BigInt(Math.round(performance.now() * 1e6))

function stampOf(frame: Frame): bigint {
  if (frame.modality === 'rgb') {
    // Grey became three equal channels.
    const bytes = Buffer.from(Array.from({ length: 8 }, (_, index) => frame.pixels[index * 3]!))
    return bytes.readBigUInt64LE()
  }
  return [0, 1, 2].reduce(
    (stamp, index) => stamp + (BigInt(frame.pointsMetres[index * 3]! * 2 ** 20 - 1) << BigInt(20 * index)),
    0n,
  )
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
