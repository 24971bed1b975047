/** One run of a GStreamer pipeline, from its start to its end: for each opening of the driver a fresh one. */
import { monotonicClock, type Clock } from './clock.ts'
import { DeviceClock } from './device-clock.ts'
import { DriverError, type DeviceReport } from './driver.ts'
import { gapLimitMs, watchFrameGap, type FrameGap } from './frame-gap.ts'
import { FrameStream } from './frame-stream.ts'
import type { FrameRemark } from './frame.ts'
import { hintOf, lastWordsOf } from './gstreamer-hint.ts'
import { pipelineWords } from './pipeline-words.ts'
import type { RawFormat, RawLayout } from './pixel-formats.ts'
import { startProgram, type Program } from './program.ts'
import { RawFrameReader, type RawFrame } from './raw-frame-reader.ts'

export interface PipelineOptions<F extends RawFormat = RawFormat> {
  readonly name: string
  /** As after `gst-launch-1.0`. With an `fdsink fd=3` of its own it sends bare frames, else `gdppay` is added. */
  readonly pipeline: string
  readonly layout: RawLayout<F>
  /** Of a source that runs by itself: three periods of silence, 500 ms at least, are a fault. Absent: triggered by the line. */
  readonly framesPerSecond?: number
  /** From the start of exposure to the frame's arrival at best. Default 0. */
  readonly latencyMs?: number
  /** Default `gst-launch-1.0`. */
  readonly command?: string
  readonly clock?: Clock
}

export type Arrived = RawFrame & {
  readonly exposedAtMs: number
  readonly sequence: number
  readonly remark?: FrameRemark
}

/** A pipeline that is triggered by the line shows no frame when it is opened; one that cannot run has ended by then. */
const SETTLES_MS = 1000
/** A line's signal reaches camera and daemon at once, and the estimate of the exposure is a little off. */
const EARLY_MS = 5
const LARGE_FRAME_BYTES = 8e6

export class PipelineRun {
  readonly opened: Promise<void>
  readonly stream: FrameStream<Arrived>
  readonly #options: PipelineOptions
  readonly #clock: Clock
  readonly #program: Program
  readonly #reader: RawFrameReader
  readonly #deviceClock: DeviceClock
  readonly #onLost: ((error: DriverError) => void) | undefined
  readonly #counters = { frames: 0, refusedFrames: 0, incompleteFrames: 0 }
  /** Buffers of frames that nobody asked for. A frame of 28 MB is too dear to be allocated for each. */
  readonly #spare: Uint8Array[] = []
  #gap: FrameGap | undefined
  #firstAtMs = 0
  #lastAtMs = 0
  #isOpen = false
  #isEnded = false
  #open: () => void = () => undefined
  #refuse: (error: DriverError) => void = () => undefined
  #cancelSettling: () => void = () => undefined

  constructor(options: PipelineOptions, onLost: ((error: DriverError) => void) | undefined) {
    const { name, layout, framesPerSecond, latencyMs = 0, clock = monotonicClock } = options
    this.#options = options
    this.#clock = clock
    this.#onLost = onLost
    this.#deviceClock = new DeviceClock({ pathMs: latencyMs })
    this.stream = new FrameStream({
      sensor: name,
      earlyMs: framesPerSecond === undefined ? EARLY_MS : 0,
      keeps: layout.frameBytes > LARGE_FRAME_BYTES ? 2 : 4,
      onDrop: (frame) => {
        if ('bytes' in frame) this.giveBack(frame.bytes)
      },
    })
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve
      this.#refuse = reject
    })
    const { command = 'gst-launch-1.0' } = options
    const isBare = sendsBareFrames(options.pipeline)
    const sink = isBare ? [] : '! gdppay ! fdsink fd=3 sync=false'.split(' ')
    this.#program = startProgram({
      command,
      arguments: ['-q', ...pipelineWords(options.pipeline), ...sink],
      frameDescriptor: 3,
      environment: { LC_ALL: 'C', GST_DEBUG_NO_COLOR: '1' },
      stopSignal: 'SIGINT', // gst-launch tears the pipeline down: RTSP cameras and Argus keep the sessions of dead clients.
      lastWords: lastWordsOf,
      clock,
    })
    this.#reader = new RawFrameReader({
      layout,
      framing: isBare ? 'bare' : 'gdp',
      allocate: () => this.#spare.pop() ?? Buffer.allocUnsafeSlow(layout.frameBytes),
      onFrame: (frame) => this.#take(frame),
      onBroken: (detail) => this.#end(detail),
    })
    this.#program.frames.on('data', (chunk: Buffer) => {
      if (!this.#isEnded) this.#reader.read(chunk)
    })
    void this.#program.ended.then((how) => this.#end(`the pipeline ${how}${hintOf(command, how)}`)) // never rejects
    if (framesPerSecond === undefined) {
      this.#cancelSettling = clock.after(SETTLES_MS, () => this.#settle())
    }
  }

  giveBack(bytes: Uint8Array): void {
    if (this.#spare.length < 2) this.#spare.push(bytes)
  }

  async stop(): Promise<void> {
    this.#isEnded = true
    this.#cancelSettling()
    this.#gap?.stop()
    const error = new DriverError('DRIVER_LOST', `${this.#options.name} was closed`)
    this.stream.end(error)
    this.#refuse(error)
    await this.#program.stop()
  }

  report(): DeviceReport {
    const { framesPerSecond } = this.#options
    const seconds = (this.#lastAtMs - this.#firstAtMs) / 1000
    const rate = seconds > 0 ? (this.#counters.frames - 1) / seconds : 0
    const advice: { found: string; fix: string }[] = []
    if (framesPerSecond !== undefined && seconds >= 1 && rate < 0.8 * framesPerSecond) {
      const found = `${rate.toFixed(1)} frames a second come, the config says ${framesPerSecond}`
      advice.push({
        found,
        fix: 'set framesPerSecond to what the camera sends in this light, or mend its rate',
      })
    }
    return {
      ...(this.#reader.caps !== '' && { identity: this.#reader.caps }),
      counters: { ...this.#counters, droppedFrames: this.stream.dropped },
      advice,
    }
  }

  #take(raw: RawFrame): void {
    const arrivedAtMs = this.#clock.now()
    const { exposedAtMs, remark } = this.#deviceClock.read(raw.stampMs, arrivedAtMs)
    this.#counters.frames++
    if ('refusal' in raw) this.#counters.refusedFrames++
    if (this.#counters.frames === 1) this.#firstAtMs = arrivedAtMs
    this.#lastAtMs = arrivedAtMs
    this.#settle()
    this.#gap?.seen()
    this.stream.push({ ...raw, exposedAtMs, sequence: this.#counters.frames, ...(remark && { remark }) })
  }

  #settle(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#cancelSettling()
    this.#open()
    const { framesPerSecond } = this.#options
    if (framesPerSecond === undefined) return
    this.#gap = watchFrameGap({
      limitMs: gapLimitMs(framesPerSecond),
      clock: this.#clock,
      onGap: (silentMs) => this.#end(`no frame for ${silentMs.toFixed(0)} ms`),
    })
  }

  #end(detail: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#cancelSettling()
    this.#gap?.stop()
    if (this.#reader.isAmidFrame) this.#counters.incompleteFrames++
    const code = this.#isOpen ? 'DRIVER_LOST' : 'DRIVER_UNAVAILABLE'
    const error = new DriverError(code, `${this.#options.name}: ${detail}`)
    this.stream.end(error)
    if (this.#isOpen) this.#onLost?.(error)
    else this.#refuse(error)
  }
}

/** It has a sink of its own: nothing says of its frames what they are. */
export function sendsBareFrames(pipeline: string): boolean {
  return /\bfdsink\b/.test(pipeline)
}
