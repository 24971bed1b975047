/**
 * The loop: trigger -> rig.capture -> Sample -> inspector.inspect -> Inspection -> decide -> Verdict -> outbox -> MQTT.
 *
 * Every trigger has exactly one verdict by its deadline. A step that takes longer is abandoned and its late result
 * dropped: the verdict is then `unknown` with a reason. The sensors' own deadlines lie in the rig, those of one run of
 * the model in the inference host; here only the trigger's whole time counts, on the monotonic clock.
 *
 * The next part is captured while the former is inspected, and no further: at most one sample waits.
 */
import { bounded } from '../drivers/bounded.ts'
import type { Clock } from '../drivers/clock.ts'
import type { Trigger } from '../drivers/driver.ts'
import type { Rig } from '../drivers/rig.ts'
import type { Sample } from '../drivers/sample.ts'
import { messageOf } from '../drivers/message-of.ts'
import type { Inspection, Inspector } from '../models/inspection.ts'
import { HEATMAP_SCALE, renderPictures } from './heatmap.ts'
import type { Log } from './log.ts'
import { isoTime, type VerdictPayload } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Publisher } from './publisher.ts'
import { RuntimeError } from './runtime-error.ts'
import type { Topics } from './topics.ts'
import { TriggerQueue } from './trigger-queue.ts'
import type { Ask, TriggerFeed } from './triggers/feed.ts'
import { decide, emptySample, unknownVerdict, type RecipePolicy, type SensorNames } from './verdict.ts'
import type { UnknownReason, Verdict } from './verdict.ts'

export interface StationOptions {
  readonly site: string
  readonly station: string
  readonly product: string
  /** Differs after every start; the trigger ids begin with it. */
  readonly runId: string
  readonly topics: Topics
  readonly sensors: SensorNames
  readonly policy: RecipePolicy
  readonly feeds: readonly TriggerFeed[]
  readonly rig: Pick<Rig, 'capture'>
  readonly inspector: Pick<Inspector, 'inspect'>
  readonly outbox: Pick<Outbox, 'commit'>
  readonly publisher: Pick<Publisher, 'wake' | 'pictureObstacle' | 'offerPictures'>
  readonly deadlines: { readonly verdictMs: number; readonly shutdownMs: number }
  /** A frame exposed longer after its trigger than this is flagged: the part may have moved on. */
  readonly delayToleranceMs: number
  /** Triggers that may wait; one more has an unknown verdict at once. */
  readonly maxWaiting: number
  readonly heatmap: {
    readonly publish: 'always' | 'not-pass' | 'never'
    readonly overlay: boolean
    readonly maxSize: number
  }
  readonly clock: Clock
  readonly log: Log
  /** Stops the feeds. Accepted triggers still have their verdicts, within `shutdownMs`. */
  readonly signal: AbortSignal
  /** After the verdict is in the outbox. */
  onVerdict?(verdict: VerdictPayload, about: { sample: Sample; inspection?: Inspection }): void
  /** A result came after its verdict and was dropped. */
  onLate?(step: Step): void
}

type Step = 'capture' | 'inspect'

/** Kept of every deadline for deciding and for one fsync. */
const RESERVE_MS = 20
/** The inspector is told to stop this much earlier: what it says of itself (starting, stuck in a step) is the better reason. */
const LAST_WORD_MS = 10

/** What became of one trigger on its way. */
interface Finding {
  readonly sample: Sample
  readonly verdict: Verdict
  readonly inspection?: Inspection
  readonly timingMs: Readonly<Record<string, number>>
}

/** Runs until every feed has ended, one has failed or the signal aborts, and every accepted trigger has its verdict. */
export async function runStation(options: StationOptions): Promise<void> {
  const { rig, inspector, sensors, policy, delayToleranceMs, deadlines, clock, log } = options
  const queue = new TriggerQueue(options.maxWaiting)
  const askers = new Map<string, (verdict: VerdictPayload) => void>()
  const outOfPatience = new AbortController()
  // One feed that breaks ends the others: half a station that looks whole would be worse than none.
  const broken = new AbortController()
  const signal = AbortSignal.any([options.signal, broken.signal])
  const context = { policy, sensors, delayToleranceMs }
  let asked = 0

  const ask: Ask = (request) => {
    const trigger: Trigger = { id: `${options.runId}-${++asked}`, atMs: clock.now(), ...request }
    const verdict = new Promise<VerdictPayload>((resolve) => askers.set(trigger.id, resolve))
    if (!queue.offer(trigger)) {
      const full = `${options.maxWaiting} triggers are waiting already`
      if (queue.isEnded) conclude(refuse(trigger, 'shutting-down', 'the station is stopping'))
      else conclude(refuse(trigger, 'overrun', full))
    }
    return { triggerId: trigger.id, verdict }
  }

  /** Rejects when the trigger's time is up, whatever the step does. */
  const inTime = <Result>(trigger: Trigger, step: Step, work: (signal: AbortSignal) => Promise<Result>) => {
    const leftMs = trigger.atMs + deadlines.verdictMs - RESERVE_MS - clock.now()
    const expired = (): RuntimeError =>
      new RuntimeError(
        'VERDICT_DEADLINE',
        `${step} did not end within the ${deadlines.verdictMs} ms of a verdict`,
      )
    // Waited for too long already: not even begun, so that the next one finds the sensors free.
    if (leftMs <= 0) return Promise.reject(expired())
    let isLate = false
    const { result, ended } = bounded(work, {
      deadlineMs: leftMs,
      signals: [outOfPatience.signal],
      clock,
      expired() {
        isLate = true
        return expired()
      },
    })
    void ended.then(() => isLate && options.onLate?.(step))
    return result
  }

  const refuse = (trigger: Trigger, reason: UnknownReason, detail: string): Finding => {
    const sample = emptySample(trigger, sensors, { reason: 'timeout', detail: 'not captured' })
    return { sample, verdict: unknown(sample, reason, detail), timingMs: {} }
  }

  const unknown = (sample: Sample, reason: UnknownReason, detail: string): Verdict => {
    const { condition, absent } = sample
    return unknownVerdict(sample, {
      ...context,
      nowMs: clock.now(),
      condition,
      absent,
      flags: [],
      reason,
      detail,
    })
  }

  const capture = async (trigger: Trigger): Promise<Sample | Finding> => {
    try {
      return await inTime(trigger, 'capture', (signal) => rig.capture(trigger, signal))
    } catch (error) {
      const failure = failureOf(error, 'nothing-captured')
      log.warn({ triggerId: trigger.id, ...failure }, 'capture failed')
      return refuse(trigger, failure.reason, failure.detail)
    }
  }

  const inspect = async (sample: Sample, timingMs: Record<string, number>): Promise<Finding> => {
    const { trigger } = sample
    if (sample.condition === 'none') {
      const detail = Object.values(sample.absent)
        .map((absence) => absence?.detail)
        .join('; ')
      return { sample, verdict: unknown(sample, 'nothing-captured', detail), timingMs }
    }
    const startedMs = clock.now()
    const last = new AbortController()
    const lastWordMs = trigger.atMs + deadlines.verdictMs - RESERVE_MS - LAST_WORD_MS - startedMs
    const cancelLast = clock.after(Math.max(0, lastWordMs), () => last.abort())
    try {
      const inspection = await inTime(trigger, 'inspect', (signal) =>
        inspector.inspect(sample, AbortSignal.any([signal, last.signal])),
      )
      const nowMs = clock.now()
      const verdict = decide(sample, inspection, { ...context, nowMs })
      const steps = inspection.kind === 'decided' ? inspection.timingMs : {}
      return { sample, inspection, verdict, timingMs: { ...steps, ...timingMs, inspect: nowMs - startedMs } }
    } catch (error) {
      const failure = failureOf(error, 'model-failed')
      log.warn({ triggerId: trigger.id, ...failure }, 'inspection failed')
      return { sample, verdict: unknown(sample, failure.reason, failure.detail), timingMs }
    } finally {
      cancelLast()
    }
  }

  const conclude = (finding: Finding): void => {
    const verdict = commit(options, finding)
    options.publisher.wake()
    offerPictures(options, finding, verdict)
    const { triggerId, seq, outcome, reason, condition } = verdict
    log.debug({ triggerId, seq, outcome, reason, condition }, 'verdict')
    askers.get(triggerId)?.(verdict)
    askers.delete(triggerId)
    options.onVerdict?.(verdict, finding)
  }

  const stop = (): void => {
    queue.end()
    const reason = new RuntimeError(
      'SHUTTING_DOWN',
      `the station stops, and ${deadlines.shutdownMs} ms were over`,
    )
    cancelPatience = clock.after(deadlines.shutdownMs, () => outOfPatience.abort(reason))
  }
  let cancelPatience = (): void => undefined
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })

  const feeding = Promise.allSettled(
    options.feeds.map(async (feed) => {
      try {
        await feed(ask, signal)
      } catch (error) {
        broken.abort(error)
        throw error
      }
    }),
  )
  void feeding.then(() => queue.end())
  let inspecting = Promise.resolve()
  for await (const trigger of queue) {
    const startedMs = clock.now()
    const captured = await capture(trigger)
    const timingMs = { queue: startedMs - trigger.atMs, capture: clock.now() - startedMs }
    const former = inspecting
    inspecting = former.then(async () =>
      conclude('verdict' in captured ? captured : await inspect(captured, timingMs)),
    )
    await former
  }
  await inspecting
  cancelPatience()
  signal.removeEventListener('abort', stop)
  const failed = (await feeding).find((feed) => feed.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function commit(options: StationOptions, { sample, verdict, inspection, timingMs }: Finding): VerdictPayload {
  const { site, station, product, topics, clock } = options
  const timing = Object.entries({ ...timingMs, total: clock.now() - sample.trigger.atMs })
  const hasMap = inspection?.kind === 'decided' && verdict.outcome !== 'unknown'
  const wanted = options.heatmap.publish
  const isShown = hasMap && (wanted === 'always' || (wanted === 'not-pass' && verdict.outcome !== 'pass'))
  return options.outbox.commit(topics.verdict, ({ seq, durable }) => ({
    schema: 'radar-edge/verdict@1',
    site,
    station,
    time: isoTime(),
    seq,
    durable,
    historical: false,
    product,
    ...verdict,
    ...(isShown && { heatmap: heatmapOf(options, seq) }),
    timingMs: Object.fromEntries(timing.filter(([, ms]) => Number.isFinite(ms) && ms >= 0)),
  }))
}

function heatmapOf({ publisher, topics, heatmap }: StationOptions, seq: number): VerdictPayload['heatmap'] {
  const dropped = publisher.pictureObstacle()
  if (dropped !== undefined) return { dropped }
  return {
    topic: topics.heatmap(seq),
    ...(heatmap.overlay && { overlayTopic: topics.overlay(seq) }),
    scale: HEATMAP_SCALE,
  }
}

function offerPictures(
  options: StationOptions,
  { sample, inspection }: Finding,
  verdict: VerdictPayload,
): void {
  const { seq, heatmap } = verdict
  if (inspection?.kind !== 'decided' || heatmap === undefined || !('topic' in heatmap)) return
  const { topic: heatmapTopic, overlayTopic } = heatmap
  const { maxSize } = options.heatmap
  options.publisher.offerPictures({
    seq,
    render: () => renderPictures(sample, inspection, { heatmapTopic, overlayTopic, seq, maxSize }),
  })
}

/** @param otherwise the reason when the step itself failed, which its contract forbids. */
function failureOf(error: unknown, otherwise: UnknownReason): { reason: UnknownReason; detail: string } {
  const detail = messageOf(error)
  const code = error instanceof RuntimeError ? error.code : undefined
  if (code === 'VERDICT_DEADLINE') return { reason: 'deadline', detail }
  if (code === 'SHUTTING_DOWN') return { reason: 'shutting-down', detail }
  return { reason: otherwise, detail }
}
