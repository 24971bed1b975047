/**
 * Any GStreamer pipeline as a sensor: `gst-launch-1.0` runs it in a process of its own, and its frames come through a
 * pipe (docs/gstreamer.md). A pipeline that ends for any reason, exit code 0 too, or falls silent is a lost sensor.
 *
 * The pipe is always drained, wanted or not, so that no queue in the pipeline ages; the newest frames are kept.
 *
 * Tested against test sources and an RTSP server from Debian; no Jetson element and no real /dev/video was run.
 */
import { DriverError, type DeviceReport, type Driver, type Trigger } from './driver.ts'
import { FrameRefused } from './frame-refused.ts'
import type { FrameOf, Modality } from './frame.ts'
import { PipelineRun, type PipelineOptions } from './pipeline-run.ts'
import type { RawFormat, RawLayout } from './pixel-formats.ts'
import type { RawFrame } from './raw-frame-reader.ts'

export interface GstreamerOptions<M extends Modality, F extends RawFormat> extends PipelineOptions<F> {
  readonly modality: M
  /** A frame in the modality's own terms. It may keep the bytes, and says so. */
  convert(raw: RawPicture<F>, signal: AbortSignal): Promise<{ frame: Content<M>; keepsBytes: boolean }>
}

export type RawPicture<F extends RawFormat> = Extract<RawFrame, { bytes: Uint8Array }> & {
  readonly layout: RawLayout<F>
}

/** What is the modality's own in a frame. */
export type Content<M extends Modality> = M extends 'rgb'
  ? { readonly pixels: Uint8Array }
  : { readonly pointsMetres: Float32Array }

export class Gstreamer<M extends Modality, F extends RawFormat> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: GstreamerOptions<M, F>
  #run: PipelineRun | undefined
  #closing: Promise<unknown> = Promise.resolve()
  #capture: Promise<unknown> | undefined

  constructor(options: GstreamerOptions<M, F>) {
    this.name = options.name
    this.modality = options.modality
    this.#options = options
  }

  /** Rejects with `DRIVER_UNAVAILABLE`, and what to install or to mend, when the pipeline ends before its first frame. */
  async open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void> {
    signal.throwIfAborted()
    await this.#closing
    signal.throwIfAborted()
    const run = (this.#run ??= new PipelineRun(this.#options, onLost))
    const abort = (): void => void this.close() // never rejects
    signal.addEventListener('abort', abort, { once: true })
    try {
      await run.opened
    } catch (error) {
      await this.close()
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const run = this.#run
    if (run === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    if (this.#capture !== undefined) {
      throw new DriverError('DRIVER_TIMEOUT', `${this.name} is busy with the capture before`)
    }
    const capture = this.#take(run, trigger, signal)
    this.#capture = capture
    try {
      return await capture
    } finally {
      this.#capture = undefined
    }
  }

  async close(): Promise<void> {
    const run = this.#run
    this.#run = undefined
    if (run !== undefined) this.#closing = Promise.allSettled([run.stop(), this.#capture])
    await this.#closing
  }

  async report(): Promise<DeviceReport> {
    if (this.#run === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    return this.#run.report()
  }

  async #take(run: PipelineRun, trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    const arrived = await run.stream.next(trigger, signal)
    if ('refusal' in arrived) {
      throw new FrameRefused(this.name, { reason: 'bad-frame', detail: arrived.refusal })
    }
    const { layout } = this.#options
    const { frame, keepsBytes } = await this.#options.convert({ ...arrived, layout }, signal)
    if (!keepsBytes) run.giveBack(arrived.bytes)
    return {
      modality: this.modality,
      sensor: this.name,
      sequence: arrived.sequence,
      exposedAtMs: arrived.exposedAtMs,
      width: layout.width,
      height: layout.height,
      ...(arrived.remark && { remarks: [arrived.remark] }),
      ...frame,
    } as unknown as FrameOf<M> // The content is the modality's own.
  }
}
