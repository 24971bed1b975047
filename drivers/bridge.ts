/**
 * A vendor's SDK behind a process of its own: docs/bridge-protocol.md. The SDK may hang, leak or crash; what is lost is
 * one process, which is killed and started again. Tested with bridges of ours over the real protocol, no vendor's SDK.
 */
import { frameOfBridge } from './bridge-frame.ts'
import { BridgeSession, type BridgeCounters, type BridgeSessionOptions } from './bridge-session.ts'
import { monotonicClock, type Clock } from './clock.ts'
import { DriverError, type DeviceReport, type Driver, type Trigger } from './driver.ts'
import type { FrameOf, Modality } from './frame.ts'

export interface BridgeOptions<M extends Modality> extends Omit<
  BridgeSessionOptions,
  'sensor' | 'modality' | 'clock' | 'onLost'
> {
  readonly name: string
  readonly modality: M
  readonly clock?: Clock
}

export class BridgeDriver<M extends Modality> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: BridgeOptions<M>
  #session: BridgeSession | undefined
  #capture: Promise<unknown> | undefined

  constructor(options: BridgeOptions<M>) {
    this.name = options.name
    this.modality = options.modality
    this.#options = options
  }

  /** Rejects with `DRIVER_UNAVAILABLE` when the bridge ends, or says something else, instead of hello. */
  async open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void> {
    signal.throwIfAborted()
    if (this.#session !== undefined) return
    let isOpen = false
    const session = new BridgeSession({
      ...this.#options,
      sensor: this.name,
      clock: this.#options.clock ?? monotonicClock,
      onLost: (error) => {
        if (isOpen) onLost?.(error)
      },
    })
    this.#session = session
    const abort = (): void => void session.stop() // `close` waits for it.
    signal.addEventListener('abort', abort, { once: true })
    try {
      await session.hello
      signal.throwIfAborted()
      session.start()
      isOpen = true
    } catch (error) {
      await this.close()
      signal.throwIfAborted()
      if (!(error instanceof DriverError)) throw error
      throw new DriverError('DRIVER_UNAVAILABLE', error.message, { cause: error })
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const session = this.#session
    if (session === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    if (this.#capture !== undefined) {
      throw new DriverError('DRIVER_TIMEOUT', `${this.name} is busy with the capture before`)
    }
    const frame = this.#take(session, trigger, signal)
    const settled = frame.then(
      () => undefined,
      () => undefined,
    )
    this.#capture = settled
    try {
      return await frame
    } finally {
      this.#capture = undefined
    }
  }

  async close(): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    await session.stop()
    await this.#capture
    if (this.#session === session) this.#session = undefined
  }

  /** Of the open bridge. */
  get counters(): Readonly<BridgeCounters> | undefined {
    return this.#session?.counters
  }

  async report(): Promise<DeviceReport> {
    const session = this.#session
    if (session === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    const { name, device, clock } = await session.hello
    const { counters, stream, lastWarning, temperatureCelsius } = session
    const advice: { found: string; fix: string }[] = []
    if (clock === 'none') {
      const found = 'the bridge stamps no frame: exposure is taken from the arrival'
      advice.push({ found, fix: 'let the bridge stamp frames by CLOCK_MONOTONIC (docs/bridges.md)' })
    }
    if (lastWarning !== undefined) {
      advice.push({ found: `the bridge says: ${lastWarning}`, fix: "look it up in the sensor's manual" })
    }
    return {
      identity: device === undefined ? name : `${device}, by ${name}`,
      ...(temperatureCelsius !== undefined && { temperatureCelsius }),
      counters: { ...counters, dropped: stream.dropped },
      advice,
    }
  }

  async #take(session: BridgeSession, trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    const next = session.stream.next(trigger, signal)
    if (this.#options.trigger.kind === 'software') session.trigger()
    const raw = await next
    // The session refuses formats of the other modality.
    return (await frameOfBridge(this.name, raw, signal)) as FrameOf<M>
  }
}
