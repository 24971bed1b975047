/** One life of a bridge, from its start to its end or to the first thing about it that cannot be believed. */
import { connectBridge, type BridgeAddress, type BridgeConnection } from './bridge-connection.ts'
import type { RawBridgeFrame } from './bridge-frame.ts'
import { readText, type BridgeHello } from './bridge-hello.ts'
import {
  BRIDGE_FORMATS,
  BRIDGE_PROTOCOL_VERSION,
  BridgeParser,
  type BridgeFrameHeader,
  type BridgeText,
} from './bridge-protocol.ts'
import { BridgeStamps } from './bridge-stamps.ts'
import type { Clock } from './clock.ts'
import { DriverError } from './driver.ts'
import { gapLimitMs, watchFrameGap, type FrameGap } from './frame-gap.ts'
import { FrameStream } from './frame-stream.ts'
import type { FrameRemark, Modality } from './frame.ts'
import { messageOf } from './message-of.ts'

/** `free`: frames come by themselves, so often. `hardware`: when a line pulses the device. `software`: when we ask. */
export type BridgeTrigger =
  | { readonly kind: 'software' }
  | { readonly kind: 'hardware' }
  | { readonly kind: 'free'; readonly framesPerSecond: number }

export interface BridgeSessionOptions {
  readonly sensor: string
  readonly modality: Modality
  readonly address: BridgeAddress
  readonly trigger: BridgeTrigger
  /** Frames of another size are refused. */
  readonly size?: { readonly width: number; readonly height: number }
  /** Passed on to the bridge; what they mean is its own business. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
  readonly clock: Clock
  /** Once. */
  onLost(error: DriverError): void
}

export interface BridgeCounters {
  frames: number
  /** By gaps in the sequence. */
  missing: number
  /** Sequence numbers that came before. */
  repeated: number
  /** Of another size or kind than the sensor's. */
  refused: number
  /** Answers to triggers whose capture was over. */
  late: number
  /** Log messages that are warnings or errors. */
  warnings: number
}

interface Problem {
  readonly counter: 'refused' | 'repeated' | 'late'
  readonly detail: string
}

/** Two raw frames: one may be on its way while a trigger comes. Each may have 28 MB and more. */
const KEPT_FRAMES = 2
/** The line's trigger reaches a camera before the daemon by so much at most. */
const HARDWARE_EARLY_MS = 5
/** A message that has begun must be whole by then: 64 MB need half a second on a small computer. */
const MESSAGE_LIMIT_MS = 2000
/** Some hundred commands: a bridge that has not read these reads no more. */
const UNREAD_LIMIT_BYTES = 4096
const DEFAULT_LARGEST_PAYLOAD_BYTES = 2 ** 27

export class BridgeSession {
  /** Rejects if the bridge ends before it. */
  readonly hello: Promise<BridgeHello>
  readonly stream: FrameStream<RawBridgeFrame>
  readonly counters: BridgeCounters = { frames: 0, missing: 0, repeated: 0, refused: 0, late: 0, warnings: 0 }
  temperatureCelsius: number | undefined
  /** The last warning or error of the bridge's log. */
  lastWarning: string | undefined
  readonly #options: BridgeSessionOptions
  readonly #connection: BridgeConnection
  readonly #parser: BridgeParser
  #greet: (hello: BridgeHello) => void = () => undefined
  #refuseHello: (error: DriverError) => void = () => undefined
  /** Since hello. */
  #stamps: BridgeStamps | undefined
  #gap: FrameGap | undefined
  #cancelMessageLimit: (() => void) | undefined
  #lastSequence: number | undefined
  #trigger = 0
  #end: DriverError | undefined
  /** Of a frame that nobody took: 28 MB from the system cost milliseconds each time. */
  #spare: Uint8Array | undefined
  /** Why the frame that is coming is of no use. */
  #problem: Problem | undefined

  constructor(options: BridgeSessionOptions) {
    const { sensor, clock, trigger, address, modality, size, settings } = options
    this.#options = options
    const earlyMs = trigger.kind === 'hardware' ? HARDWARE_EARLY_MS : 0
    this.stream = new FrameStream({
      sensor,
      keeps: KEPT_FRAMES,
      earlyMs,
      onDrop: ({ payload }) => (this.#spare = payload),
    })
    this.hello = new Promise((resolve, reject) => {
      this.#greet = resolve
      this.#refuseHello = reject
    })
    this.hello.catch(() => undefined) // A session that is stopped before anybody waited.
    this.#parser = new BridgeParser(largestPayload(size), {
      begin: (header) => this.#begin(header),
      end: (header, payload) => this.#finish(header, payload),
    })
    this.#connection = connectBridge(address, { clock, onBytes: (chunk) => this.#take(chunk) })
    void this.#connection.ended.then((how) => this.#lose(how))
    const configuration = {
      protocol: BRIDGE_PROTOCOL_VERSION,
      modality,
      trigger: trigger.kind,
      ...size,
      settings,
    }
    this.#connection.send(`configure ${JSON.stringify(configuration)}`)
  }

  /** Frames may come from now on. */
  start(): void {
    const { trigger, clock } = this.#options
    this.#connection.send(`start ${trigger.kind}`)
    if (trigger.kind !== 'free') return
    this.#gap = watchFrameGap({
      limitMs: gapLimitMs(trigger.framesPerSecond),
      clock,
      onGap: (silentMs) => this.#lose(`has sent no whole frame for ${silentMs.toFixed(0)} ms`),
    })
  }

  /** Asks for one frame. */
  trigger(): void {
    const { unread } = this.#connection
    if (unread > UNREAD_LIMIT_BYTES) this.#lose(`does not read its commands: ${unread} bytes wait`)
    this.#connection.send(`trigger ${++this.#trigger}`)
  }

  /** Resolves when nothing of the bridge is held. */
  async stop(): Promise<void> {
    this.#finishWith(new DriverError('DRIVER_LOST', `${this.#options.sensor} was closed`))
    await this.#connection.stop()
  }

  /** The first reason stays. */
  #lose(detail: string): void {
    if (this.#end !== undefined) return
    const said = this.lastWarning === undefined ? '' : `; it said before: ${this.lastWarning}`
    const error = new DriverError(
      'DRIVER_LOST',
      `${this.#options.sensor}: the bridge ${detail}${said}`.slice(0, 2000),
    )
    this.#finishWith(error)
    // What cannot be believed must not go on sending.
    void this.#connection.stop()
    this.#options.onLost(error)
  }

  #finishWith(error: DriverError): void {
    this.#end ??= error
    this.#gap?.stop()
    this.#cancelMessageLimit?.()
    this.stream.end(this.#end)
    this.#refuseHello(this.#end)
  }

  #take(chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    try {
      this.#parser.push(chunk)
    } catch (error) {
      this.#lose(messageOf(error))
      return
    }
    if (this.#parser.isWithinMessage && this.#cancelMessageLimit === undefined) {
      this.#cancelMessageLimit = this.#options.clock.after(MESSAGE_LIMIT_MS, () =>
        this.#lose(`began a message that was not whole after ${MESSAGE_LIMIT_MS} ms`),
      )
    }
  }

  #begin(header: BridgeText | BridgeFrameHeader): Uint8Array | undefined {
    if (header.kind !== 'frame') return new Uint8Array(header.payloadBytes)
    this.#problem = this.#problemOf(header)
    if (this.#problem !== undefined) return undefined
    const spare = this.#spare
    this.#spare = undefined
    if (spare?.length === header.payloadBytes) return spare
    return Buffer.allocUnsafeSlow(header.payloadBytes)
  }

  #problemOf(header: BridgeFrameHeader): Problem | undefined {
    const { modality, size, trigger } = this.#options
    const { format, width, height, sequence } = header
    if (BRIDGE_FORMATS[format].modality !== modality) {
      return { counter: 'refused', detail: `sent ${format}, which is no ${modality}` }
    }
    if (size !== undefined && (width !== size.width || height !== size.height)) {
      const detail = `sent ${width}x${height}, config says ${size.width}x${size.height}`
      return { counter: 'refused', detail }
    }
    if (this.#lastSequence !== undefined && sequence <= this.#lastSequence) {
      const detail = `sent sequence number ${sequence} after ${this.#lastSequence}`
      return { counter: 'repeated', detail }
    }
    if (trigger.kind === 'software' && header.trigger > 0 && header.trigger !== this.#trigger) {
      return { counter: 'late', detail: `answered trigger ${header.trigger} late` }
    }
    return undefined
  }

  #finish(header: BridgeText | BridgeFrameHeader, payload: Uint8Array | undefined): void {
    this.#cancelMessageLimit?.()
    this.#cancelMessageLimit = undefined
    if (header.kind === 'frame') this.#finishFrame(header, payload)
    else if (payload !== undefined) this.#finishText(header.kind, payload)
  }

  #finishText(kind: BridgeText['kind'], payload: Uint8Array): void {
    switch (kind) {
      case 'hello':
        this.#welcome(readText('hello', payload))
        return
      case 'log': {
        const { level, text } = readText('log', payload)
        if (level === 'info') return
        this.counters.warnings++
        this.lastWarning = text
        return
      }
      case 'telemetry':
        this.temperatureCelsius = readText('telemetry', payload).temperatureCelsius
    }
  }

  #welcome(hello: BridgeHello): void {
    if (this.#stamps !== undefined) return this.#lose('said hello twice')
    this.#stamps = new BridgeStamps(hello, this.#options.clock)
    this.#greet(hello)
  }

  #finishFrame(header: BridgeFrameHeader, payload: Uint8Array | undefined): void {
    const arrivedAtMs = this.#options.clock.now()
    if (this.#stamps === undefined) return this.#lose('sent a frame before its hello')
    this.counters.frames++
    this.#gap?.seen()
    const problem = this.#problem
    if (problem !== undefined) this.counters[problem.counter]++
    if (problem?.counter === 'repeated') return this.#refuse(problem.detail)
    const { sequence } = header
    const skipped = this.#lastSequence === undefined ? 0 : sequence - this.#lastSequence - 1
    this.#lastSequence = sequence
    this.counters.missing += skipped
    // The answer to the trigger that is waited for may still come.
    if (problem?.counter === 'late') return
    if (problem !== undefined || payload === undefined) return this.#refuse(problem?.detail ?? 'sent nothing')
    const remarks: FrameRemark[] = []
    if (skipped > 0) {
      const detail = `comes after ${skipped} that the bridge counted and never sent`
      remarks.push({ code: 'frames-missing', detail, degrades: false })
    }
    const { exposedAtMs, remark } = this.#stamps.read(header.stampMs, arrivedAtMs)
    if (remark !== undefined) remarks.push(remark)
    this.stream.push({ header, payload, exposedAtMs, remarks })
  }

  #refuse(detail: string): void {
    this.stream.refuse(new DriverError('DRIVER_BAD_FRAME', `${this.#options.sensor}: the bridge ${detail}`))
  }
}

function largestPayload(size: BridgeSessionOptions['size']): number {
  if (size === undefined) return DEFAULT_LARGEST_PAYLOAD_BYTES
  const widest = Math.max(...Object.values(BRIDGE_FORMATS).map(({ bytesPerPixel }) => bytesPerPixel))
  // A frame of another size is refused by its size, not as a broken stream.
  return Math.max(DEFAULT_LARGEST_PAYLOAD_BYTES, size.width * size.height * widest)
}
