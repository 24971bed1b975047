/**
 * Laser line profilers: lines come by themselves as the part moves on, and a capture gets the map that begins with the
 * first line exposed at or after its trigger, N lines high. A map is complete when all its lines are there, when the
 * counter has passed its end, when the counter starts anew, or when its time is up.
 */
import type { Clock } from '../clock.ts'
import { DriverError, type DeviceReport, type Driver, type Trigger } from '../driver.ts'
import type { FrameRemark, XyzFrame } from '../frame.ts'
import { watchFrameGap, type FrameGap } from '../frame-gap.ts'
import { messageOf } from '../message-of.ts'
import { CounterTrack, type CounterTrackOptions, type Place } from './counter-track.ts'
import { MapBuilder, type MapGeometry } from './map-builder.ts'
import type { Profile } from './profile.ts'
import type { OpenProfileSource, ProfileSource } from './profile-source.ts'
import { ProfileStamps } from './profile-stamps.ts'

export interface ProfilerOptions extends MapGeometry, CounterTrackOptions {
  readonly name: string
  /** Device and framing for a person. */
  readonly identity: string
  readonly openSource: OpenProfileSource
  /** From a profile's exposure to its arrival. */
  readonly latencyMs: number
  /** A profile exposed this long before the trigger still counts: the light barrier may be late. */
  readonly earlyMs: number
  /** A map that is not complete this long after its first profile is given as it is. */
  readonly mapLimitMs: number
  /** With a larger share of profiles missing a map is unusable. */
  readonly mostMissing: number
  /** Sent for each trigger: only profiles that come afterwards belong to the map. */
  readonly startCommand?: Uint8Array
  /** Sent when the map is there, or given up. */
  readonly stopCommand?: Uint8Array
  /** Without a byte for so long the sensor is lost. Absent: the line may stand still. */
  readonly silenceMs?: number
  /** One step of the sensor's time stamps, where its profiles have them. */
  readonly stampMs?: number
  /**
   * The network may hold profiles back (a lost packet, a cable) and bring them all at once, later. Without time stamps they
   * would pass for those of the next part: so a capture for which none came ends the connection, and what it held.
   */
  readonly endsAfterMiss?: true
  readonly clock: Clock
}

interface Line extends Place {
  readonly profile: Profile
  readonly exposedAtMs: number
  /** Exposure of the run's first profile. */
  readonly runSinceMs: number
  isUsed: boolean
}

interface Capture {
  readonly earliestMs: number
  map: { readonly builder: MapBuilder; readonly run: number; readonly exposedAtMs: number } | undefined
  clockRemark: FrameRemark | undefined
  damageBefore: number
  cancelLimit: () => void
  settle(outcome: XyzFrame | Error): void
}

/** So many in a row that are no profiles: the format or the baud rate is not what the config says. */
const DAMAGED_IN_A_ROW = 20

export class Profiler implements Driver<'xyz'> {
  readonly name: string
  readonly modality = 'xyz'
  readonly #options: ProfilerOptions
  #source: ProfileSource | undefined
  #opening: Promise<void> | undefined
  /** Counts openings and closings: what an earlier connection still has to say is nobody's business. */
  #life = 0
  #onLost: ((error: DriverError) => void) | undefined
  /** Why it is lost, once it is. */
  #lost: DriverError | undefined
  #gap: FrameGap | undefined
  #track: CounterTrack
  /** Twice a map at most; then the oldest goes, and is counted. */
  #lines: Line[] = []
  #runSinceMs = 0
  #capture: Capture | undefined
  #stamps: ProfileStamps | undefined
  #sequence = 0
  #counters = zeroes()
  /** Of the last profile with another number of samples. */
  #otherWidth: string | undefined

  constructor(options: ProfilerOptions) {
    this.name = options.name
    this.#options = options
    this.#track = new CounterTrack(options)
  }

  async open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void> {
    signal.throwIfAborted()
    this.#onLost = onLost
    if (this.#source !== undefined && this.#lost === undefined) return
    this.#opening ??= this.#openSource(signal).finally(() => (this.#opening = undefined))
    await this.#opening
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<XyzFrame> {
    signal.throwIfAborted()
    const source = this.#openOne()
    if (this.#capture) throw new DriverError('DRIVER_TIMEOUT', `${this.name} is busy with the capture before`)
    const { clock, startCommand, stopCommand, earlyMs } = this.#options
    const startedAtMs = clock.now()
    const earliestMs = startCommand ? startedAtMs : trigger.atMs - earlyMs
    const frame = new Promise<XyzFrame>((resolve, reject) => {
      const abort = (): void => {
        settle(signal.reason as Error)
        if (this.#options.endsAfterMiss && capture.map === undefined) {
          this.#lose(
            'no profile came for a trigger, and what the network holds back would pass for the next part',
          )
        }
      }
      const settle = (outcome: XyzFrame | Error): void => {
        if (this.#capture !== capture) return
        this.#capture = undefined
        capture.cancelLimit()
        signal.removeEventListener('abort', abort)
        if (stopCommand) void source.send?.(stopCommand).catch(() => undefined) // a lost link says so itself
        if ('modality' in outcome) resolve(outcome)
        else reject(outcome)
      }
      const damageBefore = source.damage.total + this.#counters['other width']
      const capture: Capture = {
        earliestMs,
        map: undefined,
        clockRemark: undefined,
        damageBefore,
        cancelLimit: noLimit,
        settle,
      }
      this.#capture = capture
      signal.addEventListener('abort', abort, { once: true })
    })
    if (!startCommand) {
      for (const line of this.#lines) this.#feed(line)
      return frame
    }
    void source.send?.(startCommand).catch((error: unknown) => {
      this.#lose(`could not be started: ${messageOf(error)}`)
    })
    return frame
  }

  async close(): Promise<void> {
    const source = this.#source
    this.#source = undefined
    this.#life++
    this.#gap?.stop()
    this.#capture?.settle(new DriverError('DRIVER_LOST', `${this.name} was closed`))
    this.#lines = []
    await source?.close()
  }

  async report(): Promise<DeviceReport> {
    const { damage } = this.#openOne()
    const counters = { ...this.#counters, damaged: damage.total }
    const { samples, identity } = this.#options
    const advice = [
      ...(damage.total > 0
        ? [
            {
              found: `${damage.total} lines or frames were no profiles, the last one ${damage.last}`,
              fix: 'compare format with the sensor’s output settings, and the baud rate',
            },
          ]
        : []),
      ...(this.#otherWidth !== undefined
        ? [
            {
              found: this.#otherWidth,
              fix: `set the sensor to ${samples} samples, or map.samples to what it sends`,
            },
          ]
        : []),
    ]
    return { identity, counters, advice }
  }

  async #openSource(signal: AbortSignal): Promise<void> {
    const { openSource, silenceMs, clock } = this.#options
    await this.#source?.close()
    this.#source = undefined
    this.#lost = undefined
    this.#lines = []
    this.#track = new CounterTrack(this.#options)
    const { stampMs, latencyMs } = this.#options
    this.#stamps = stampMs === undefined ? undefined : new ProfileStamps({ stampMs, latencyMs })
    this.#sequence = 0
    this.#counters = zeroes()
    this.#otherWidth = undefined
    const life = ++this.#life
    const ifCurrent = (then: () => void): void => {
      if (this.#life === life) then()
    }
    let isClosedAlready: string | undefined
    try {
      const source = await openSource(
        {
          onProfile: (profile) => ifCurrent(() => this.#take(profile)),
          onDamage: () => ifCurrent(() => this.#checkDamage()),
          onAnything: () => ifCurrent(() => this.#gap?.seen()),
          onClosed: (reason) => {
            isClosedAlready = reason
            ifCurrent(() => this.#lose(reason))
          },
        },
        signal,
      )
      const problem = this.#life === life ? isClosedAlready : 'it was closed meanwhile'
      if (signal.aborted || problem !== undefined) {
        await source.close()
        throw new Error(problem)
      }
      this.#source = source
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw new DriverError('DRIVER_UNAVAILABLE', `${this.name}: ${messageOf(error)}`, { cause: error })
    }
    if (silenceMs === undefined) return
    const onGap = (silentMs: number): void => this.#lose(`nothing came for ${silentMs.toFixed(0)} ms`)
    this.#gap = watchFrameGap({ limitMs: silenceMs, clock, onGap })
  }

  #openOne(): ProfileSource {
    if (this.#source === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    if (this.#lost) throw this.#lost
    return this.#source
  }

  #lose(reason: string): void {
    if (this.#source === undefined || this.#lost !== undefined) return
    this.#lost = new DriverError('DRIVER_LOST', `${this.name}: ${reason}`)
    this.#gap?.stop()
    this.#capture?.settle(this.#lost)
    this.#onLost?.(this.#lost)
  }

  #checkDamage(): void {
    const { inARow, isFatal, last } = this.#source?.damage ?? { inARow: 0, isFatal: false, last: '' }
    if (isFatal) this.#lose(`sent ${last}, and where the next one begins is unknown`)
    else if (inARow >= DAMAGED_IN_A_ROW)
      this.#lose(`sent no profile ${inARow} times in a row, the last time ${last}`)
    else this.#startLimit()
  }

  #take(profile: Profile): void {
    if (this.#lost !== undefined) return
    const { samples, latencyMs, clock, profiles } = this.#options
    this.#counters.profiles++
    const { exposedAtMs, remark } = this.#stamps?.read(profile.stamp, clock.now()) ?? {
      exposedAtMs: clock.now() - latencyMs,
    }
    if (remark && this.#capture) this.#capture.clockRemark = remark
    if (profile.heights.length !== samples) {
      this.#counters['other width']++
      this.#otherWidth = `profiles of ${profile.heights.length} samples came, the config says ${samples}`
      this.#startLimit()
      return
    }
    const place = this.#track.place(profile.counter)
    if (place.run !== this.#lines.at(-1)?.run) this.#runSinceMs = exposedAtMs
    const line: Line = { ...place, profile, exposedAtMs, runSinceMs: this.#runSinceMs, isUsed: false }
    this.#lines.push(line)
    if (this.#lines.length > 2 * profiles && this.#lines.shift()?.isUsed === false) this.#counters.unused++
    this.#feed(line)
  }

  #feed(line: Line): void {
    const capture = this.#capture
    if (capture === undefined) return
    const { restartsAt, reorderedProfiles } = this.#options
    // With a counter that starts anew for each part, the rest of the part before may still be passing.
    const sinceMs = restartsAt === undefined ? line.exposedAtMs : line.runSinceMs
    if (capture.map === undefined) {
      if (sinceMs < capture.earliestMs) return
      const origin = restartsAt === undefined ? line.position : line.origin
      const builder = new MapBuilder(this.#options, origin)
      capture.map = { builder, run: line.run, exposedAtMs: sinceMs }
      capture.cancelLimit()
      capture.cancelLimit = noLimit
      this.#startLimit()
    }
    const { builder, run } = capture.map
    if (line.run !== run) return this.#finish(capture)
    if (builder.place(line.profile, line.position)) line.isUsed = true
    // One that is late may still come.
    if (builder.isFull || builder.placesBeyond >= Math.max(1, reorderedProfiles)) this.#finish(capture)
  }

  /** The time of a map runs from the first that came for it, were it a damaged profile. */
  #startLimit(): void {
    const capture = this.#capture
    if (capture === undefined || capture.cancelLimit !== noLimit) return
    const { mapLimitMs, clock } = this.#options
    capture.cancelLimit = clock.after(mapLimitMs, () => this.#finish(capture))
  }

  #finish(capture: Capture): void {
    const { profiles, samples, mostMissing } = this.#options
    const { map } = capture
    const counts = map?.builder.counts ?? { missing: profiles, repeated: 0, outOfOrder: 0 }
    this.#counters.missing += counts.missing
    this.#counters.repeated += counts.repeated
    this.#counters['out of order'] += counts.outOfOrder
    const why = this.#damageSince(capture)
    if (map === undefined || counts.missing > mostMissing * profiles) {
      const detail = `${this.name}: ${counts.missing} of ${profiles} profiles did not come${why}`
      capture.settle(new DriverError('DRIVER_BAD_FRAME', detail))
      return
    }
    const remarks = [
      ...(capture.clockRemark ? [capture.clockRemark] : []),
      ...remarksOf(counts, profiles, why),
    ]
    capture.settle({
      sensor: this.name,
      modality: 'xyz',
      sequence: ++this.#sequence,
      exposedAtMs: map.exposedAtMs,
      width: samples,
      height: profiles,
      pointsMetres: map.builder.take(),
      ...(remarks.length > 0 && { remarks }),
    })
  }

  #damageSince({ damageBefore }: Capture): string {
    const { total, last } = this.#source?.damage ?? { total: 0, last: '' }
    const count = total + this.#counters['other width'] - damageBefore
    if (count === 0) return ''
    return `; ${count} came damaged, the last one: ${this.#otherWidth ?? last}`
  }
}

const noLimit = (): void => undefined

const zeroes = () => ({
  profiles: 0,
  missing: 0,
  repeated: 0,
  'out of order': 0,
  'other width': 0,
  unused: 0,
})

function remarksOf(
  { missing, repeated, outOfOrder }: MapBuilder['counts'],
  profiles: number,
  why: string,
): FrameRemark[] {
  const remarks: FrameRemark[] = []
  if (missing > 0) {
    const detail = `lacks ${missing} of ${profiles} profiles${why}`
    remarks.push({ code: 'profiles-missing', detail, degrades: true })
  }
  if (repeated > 0) {
    const detail = `had ${repeated} profiles twice, of which the first was taken`
    remarks.push({ code: 'profiles-repeated', detail, degrades: false })
  }
  if (outOfOrder > 0) {
    const detail = `had ${outOfOrder} profiles out of order, which were put where they belong`
    remarks.push({ code: 'profiles-out-of-order', detail, degrades: false })
  }
  return remarks
}
