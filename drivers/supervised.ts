/**
 * Driver in, driver out: one that answers within its deadline whatever the device does, and brings a lost device
 * back in the background. The only place that reopens.
 *
 * A capture that outlives its deadline is told to stop. If it has not stopped after the grace, the driver is
 * abandoned: nobody listens to it any more, and a fresh one takes its place (vendor SDKs hang in `stop` too:
 * librealsense#7288). Abandoned drivers may hold memory and threads, so there are `maxAbandoned` at most; beyond
 * that the sensor itself is the victim: it stays lost until one of them ends.
 */
import { bounded } from './bounded.ts'
import { delay, monotonicClock, type Clock } from './clock.ts'
import { DriverError, type DeviceReport, type Driver, type Trigger } from './driver.ts'
import type { FrameOf, Modality } from './frame.ts'
import { FrameRefused } from './frame-refused.ts'
import {
  initialHealth,
  nextHealth,
  type Health,
  type HealthEvent,
  type HealthLimits,
  type Trouble,
} from './health.ts'
import { messageOf } from './message-of.ts'

export interface Supervision {
  /** Longest wait for a frame. */
  readonly deadlineMs: number
  /** Longest wait for the device to open. */
  readonly openDeadlineMs: number
  /** How long a driver that was told to stop, or to close, may take before it is abandoned. */
  readonly graceMs: number
  /** Pause before a reopening: `firstMs`, doubled each time until a good frame comes, `maxMs` at most. */
  readonly backoff: { readonly firstMs: number; readonly maxMs: number }
  readonly limits: HealthLimits
  readonly maxAbandoned: number
}

export const defaultSupervision: Supervision = {
  deadlineMs: 800,
  openDeadlineMs: 10_000,
  graceMs: 1000,
  backoff: { firstMs: 500, maxMs: 2000 },
  limits: { degradedAfter: 1, lostAfter: 3, okAfter: 3 },
  maxAbandoned: 3,
}

export interface SupervisedOptions<M extends Modality> extends Supervision {
  /** A closed driver; called for each opening. It may return the same one again, if that can be closed and reopened. */
  make(): Driver<M>
  /** Each edge of the sensor's health, once. Never after `close`. */
  onHealth?(health: Health): void
  readonly clock?: Clock
}

/** An open driver, and when its last capture ends: perhaps never. */
interface Device<M extends Modality> {
  readonly driver: Driver<M>
  ended: Promise<void>
  isBusy: boolean
}

export class Supervised<M extends Modality> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: SupervisedOptions<M>
  readonly #clock: Clock
  readonly #abandoned = new Set<Promise<unknown>>()
  #health: Health
  #device: Device<M> | undefined
  /** Openings since the last good frame. */
  #openings = 0
  /** From open to close. */
  #life: AbortController | undefined
  /** The first attempt. */
  #opening: Promise<void> = Promise.resolve()
  /** The opening or reopening under way; like the first, it never rejects. */
  #recovery: Promise<void> = Promise.resolve()
  #closing: Promise<void> = Promise.resolve()

  constructor(options: SupervisedOptions<M>) {
    const { name, modality } = options.make()
    this.name = name
    this.modality = modality
    this.#options = options
    this.#clock = options.clock ?? monotonicClock
    this.#health = initialHealth(name, modality, this.#clock.now())
  }

  get health(): Health {
    return this.#health
  }

  /** Drivers that have not ended since they were told to. Above 0 is a reason to look at the device. */
  get abandoned(): number {
    return this.#abandoned.size
  }

  /** Resolves after the first attempt, whether it failed or not: a sensor that is absent now may come later. */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await this.#closing
    if (this.#life === undefined) {
      const life = new AbortController()
      this.#life = life
      this.#openings = 0
      this.#health = initialHealth(this.name, this.modality, this.#clock.now())
      this.#opening = this.#openDevice([life.signal, signal]).then((isOpen) => {
        if (!isOpen && !signal.aborted) this.#recovery = this.#reopen(life.signal)
      })
      this.#recovery = this.#opening
    }
    await this.#opening
    if (!signal.aborted) return
    await this.close()
    throw signal.reason
  }

  /**
   * Rejects within the deadline: `DRIVER_TIMEOUT`, `DRIVER_BAD_FRAME` (perhaps a `FrameRefused`) or `DRIVER_LOST`.
   * Rejects at once, and costs the cycle nothing, while the sensor is lost or busy with the capture before.
   */
  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const { deadlineMs } = this.#options
    const [life, device] = [this.#life, this.#device]
    if (life === undefined || device === undefined) throw new DriverError('DRIVER_LOST', this.#whyAbsent())
    if (device.isBusy) throw new DriverError('DRIVER_TIMEOUT', `${this.name} is busy with the capture before`)

    device.isBusy = true
    const { result, ended } = bounded((stop) => device.driver.capture(trigger, stop), {
      deadlineMs,
      signals: [signal, life.signal],
      clock: this.#clock,
      expired: () => new DriverError('DRIVER_TIMEOUT', `${this.name} sent no frame within ${deadlineMs} ms`),
    })
    device.ended = ended.then(() => void (device.isBusy = false))
    try {
      const frame = await result
      device.isBusy = false
      this.#openings = 0
      this.#note({ kind: 'good' })
      return frame
    } catch (error) {
      // The caller gave up, or close did: that says nothing about the sensor.
      if (!signal.aborted && !life.signal.aborted) this.#noteFailure(device, error)
      void this.#abandonUnlessItEnds(device) // reports through health; never rejects
      throw error
    }
  }

  /** Waits for the device at most the grace for what it is doing, and once more for its close. */
  async close(): Promise<void> {
    const life = this.#life
    if (life !== undefined) {
      this.#life = undefined
      life.abort(new DriverError('DRIVER_LOST', `${this.name} was closed`))
      this.#closing = this.#recovery.then(async () => {
        const device = this.#device
        this.#device = undefined
        if (device) await this.#retire(device)
      })
    }
    await this.#closing
  }

  /** Rejects while the device is lost. */
  async report(signal: AbortSignal): Promise<DeviceReport> {
    const { driver } = this.#device ?? {}
    if (driver === undefined) throw new DriverError('DRIVER_LOST', this.#whyAbsent())
    return (await driver.report?.(signal)) ?? { counters: {}, advice: [] }
  }

  #whyAbsent(): string {
    if (this.#life === undefined) return `${this.name} is not open`
    const { state, trouble } = this.#health
    return `${this.name} is ${state === 'lost' ? 'lost' : 'starting'}${trouble ? `: ${trouble.detail}` : ''}`
  }

  #note(event: HealthEvent): void {
    if (this.#life === undefined) return
    const before = this.#health
    this.#health = nextHealth(before, event, { nowMs: this.#clock.now(), limits: this.#options.limits })
    if (this.#health.state !== before.state) this.#options.onHealth?.(this.#health)
  }

  #noteFailure(device: Device<M>, error: unknown): void {
    const trouble = troubleOf(this.name, error)
    if (trouble.code === 'DRIVER_LOST' || trouble.code === 'DRIVER_UNAVAILABLE')
      this.#note({ kind: 'lost', trouble })
    else if (error instanceof FrameRefused && error.reason === 'rejected')
      this.#note({ kind: 'rejected', trouble })
    else this.#note({ kind: 'missed', trouble })
    if (this.#health.state === 'lost') this.#replace(device)
  }

  async #abandonUnlessItEnds(device: Device<M>): Promise<void> {
    const hasEnded = await this.#endsInGrace(device.ended)
    if (hasEnded || this.#device !== device) return
    const detail = `${this.name} did not stop its capture when told to; abandoned`
    this.#note({ kind: 'lost', trouble: { code: 'DRIVER_LOST', detail } })
    this.#replace(device)
  }

  #replace(device: Device<M>): void {
    const life = this.#life
    if (life === undefined || this.#device !== device) return
    this.#device = undefined
    this.#recovery = this.#retire(device).then(() => this.#reopen(life.signal))
  }

  /** Closes a driver. One that has not ended after the grace goes to the abandoned. */
  async #retire({ driver, ended }: Device<M>): Promise<void> {
    const closed = (async () => driver.close())() // async: a close that throws at once must not be our throw
    const rest = Promise.allSettled([ended, closed])
    if (await this.#endsInGrace(rest)) return
    this.#abandoned.add(rest)
    void rest.then(() => this.#abandoned.delete(rest)) // perhaps never
  }

  async #reopen(life: AbortSignal): Promise<void> {
    const { backoff, maxAbandoned } = this.#options
    while (!life.aborted) {
      const pauseMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** this.#openings)
      const isDue = await delay(pauseMs, life, this.#clock).then(
        () => true,
        () => false,
      )
      // Each turn of this loop waits, so a sensor whose drivers all hang costs a look per `maxMs`.
      this.#openings++
      if (!isDue || (this.#abandoned.size < maxAbandoned && (await this.#openDevice([life])))) return
    }
  }

  async #openDevice(signals: readonly AbortSignal[]): Promise<boolean> {
    const { openDeadlineMs } = this.#options
    const driver = this.#options.make()
    const device: Device<M> = { driver, ended: Promise.resolve(), isBusy: false }
    const onLost = (error: DriverError): void => {
      // While it is opened the rejection says it, and after that only for the device in use.
      if (this.#device !== device) return
      this.#note({ kind: 'lost', trouble: troubleOf(this.name, error) })
      this.#replace(device)
    }
    const { result, ended } = bounded((stop) => driver.open(stop, onLost), {
      deadlineMs: openDeadlineMs,
      signals,
      clock: this.#clock,
      expired: () =>
        new DriverError('DRIVER_UNAVAILABLE', `${this.name} did not open within ${openDeadlineMs} ms`),
    })
    try {
      await result
      device.ended = ended
      this.#device = device
      this.#note({ kind: 'opened' })
      return true
    } catch (error) {
      if (!signals.some((signal) => signal.aborted))
        this.#note({ kind: 'lost', trouble: troubleOf(this.name, error) })
      await this.#retire({ driver, ended, isBusy: false })
      return false
    }
  }

  #endsInGrace(work: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#options.graceMs, () => resolve(false))
      void work.then(() => {
        cancel()
        resolve(true)
      })
    })
  }
}

function troubleOf(sensor: string, error: unknown): Trouble {
  if (error instanceof DriverError) return { code: error.code, detail: error.message }
  // Contract: any other rejection counts as lost.
  return {
    code: 'DRIVER_LOST',
    detail: `${sensor}: ${messageOf(error)}`,
  }
}
