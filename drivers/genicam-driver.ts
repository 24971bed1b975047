/** A GenICam camera as a driver of either modality: what differs is how an image becomes a frame. */
import { openAravis, type AravisLibrary } from './aravis-library.ts'
import { monotonicClock, type Clock } from './clock.ts'
import { DriverError, type DeviceReport, type Driver, type Trigger } from './driver.ts'
import type { FrameOf, FrameRemark, Modality, RgbFrame, XyzFrame } from './frame.ts'
import { gapLimitMs, watchFrameGap, type FrameGap } from './frame-gap.ts'
import { FrameMemory } from './frame-memory.ts'
import { FrameStream } from './frame-stream.ts'
import {
  openGenicamCamera,
  type CameraImage,
  type GenicamCamera,
  type GenicamCameraOptions,
} from './genicam-camera.ts'
import { networkAdvice } from './genicam-network.ts'
import { messageOf } from './message-of.ts'

/** An image's samples as the modality has them, in that memory: zeros, `BYTES_PER_PIXEL` of each pixel. @throws RangeError */
export type ImageDecoder<M extends Modality> = (
  image: CameraImage,
  memory: Uint8Array,
) => M extends 'rgb' ? Pick<RgbFrame, 'pixels'> : Pick<XyzFrame, 'pointsMetres'>

export interface GenicamDriverOptions<M extends Modality> extends Omit<
  GenicamCameraOptions,
  'sensor' | 'clock'
> {
  readonly name: string
  readonly clock?: Clock
  readonly modality: M
  /** Asks the open camera what its images mean. Rejects with `DRIVER_UNAVAILABLE` when they cannot be understood. */
  prepare(camera: GenicamCamera): Promise<ImageDecoder<M>>
  /** Default: the system's. */
  library?(): AravisLibrary
}

/** R,G,B; x,y,z as floats. */
const BYTES_PER_PIXEL = { rgb: 3, xyz: 12 } as const
/** A line's signal reaches camera and daemon at once, and the estimate of the exposure is a little off. */
const EARLY_MS = 5
/** A camera that has not acknowledged its trigger for so long does not answer any more: it takes 0.3 ms. */
const ANSWER_MS = 400

interface Session<M extends Modality> {
  readonly camera: GenicamCamera
  readonly decode: ImageDecoder<M>
  readonly images: FrameStream<CameraImage>
  /** The camera is gone: once, whoever noticed it. */
  lost(why: string): void
  close(): Promise<void>
}

export class GenicamDriver<M extends Modality> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: GenicamDriverOptions<M>
  readonly #clock: Clock
  readonly #memory = new FrameMemory()
  #session: Session<M> | undefined
  #opening: Promise<void> | undefined
  #closing: Promise<void> = Promise.resolve()
  #sequence = 0

  constructor(options: GenicamDriverOptions<M>) {
    this.#options = options
    this.name = options.name
    this.modality = options.modality
    this.#clock = options.clock ?? monotonicClock
  }

  async open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void> {
    signal.throwIfAborted()
    await this.#closing
    if (this.#opening === undefined) {
      const opening = this.#open(signal, onLost)
      this.#opening = opening
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined
      })
    }
    await this.#opening
  }

  async #open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void> {
    const { trigger, prepare } = this.#options
    const library = (this.#options.library ?? openAravis)()
    const images = new FrameStream<CameraImage>({
      sensor: this.name,
      earlyMs: trigger.kind === 'free-run' ? 0 : EARLY_MS,
      onDrop: (image) => image.release(),
    })
    let gap: FrameGap | undefined
    let isOver = false
    const end = (error: DriverError): void => {
      isOver = true
      gap?.stop()
      images.end(error)
    }
    const lost = (why: string): void => {
      if (isOver) return
      const error = new DriverError('DRIVER_LOST', `${this.name} ${why}`)
      end(error)
      onLost?.(error)
    }
    const camera = await openGenicamCamera(
      library,
      { ...this.#options, sensor: this.name, clock: this.#clock },
      {
        onImage(image) {
          gap?.seen()
          images.push(image)
        },
        onDamaged(error, exposedAtMs) {
          gap?.seen()
          images.refuse(error, exposedAtMs)
        },
        onControlLost: () => lost('does not answer any more, or another program has taken control of it'),
      },
      signal,
    )
    try {
      const decode = await prepare(camera)
      signal.throwIfAborted()
      if (trigger.kind === 'free-run' && !isOver) {
        gap = watchFrameGap({
          limitMs: gapLimitMs(camera.framesPerSecond ?? 1),
          clock: this.#clock,
          onGap: (silentMs) => lost(`sent no frame for ${silentMs.toFixed(0)} ms`),
        })
      }
      this.#sequence = 0
      const close = async (): Promise<void> => {
        const wasLost = isOver
        end(new DriverError('DRIVER_LOST', `${this.name} was closed`))
        await (wasLost ? camera.abandon() : camera.close())
      }
      this.#session = { camera, decode, images, lost, close }
    } catch (error) {
      end(new DriverError('DRIVER_LOST', `${this.name} was not opened`))
      await camera.close()
      throw error
    }
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const session = this.#session
    if (session === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    const image = await this.#nextImage(session, trigger, signal)
    try {
      return this.#frameOf(session, image, trigger)
    } finally {
      image.release()
    }
  }

  async #nextImage(
    { camera, images, lost }: Session<M>,
    trigger: Trigger,
    signal: AbortSignal,
  ): Promise<CameraImage> {
    const next = images.next(trigger, signal)
    if (this.#options.trigger.kind !== 'software') {
      this.#memory.prepare(this.#bytesOf(camera))
      return next
    }
    const sentAtMs = this.#clock.now()
    let hasAnswered = false
    camera.softwareTrigger().then(
      () => (hasAnswered = true),
      (error: unknown) => lost(`refused its trigger: ${messageOf(error)}`),
    )
    this.#memory.prepare(this.#bytesOf(camera))
    try {
      return await next
    } catch (error) {
      if (!hasAnswered && this.#clock.now() - sentAtMs > ANSWER_MS) lost('does not answer its trigger')
      throw error
    }
  }

  #bytesOf({ width, height }: Pick<CameraImage, 'width' | 'height'>): number {
    return width * height * BYTES_PER_PIXEL[this.modality]
  }

  #frameOf({ decode }: Session<M>, image: CameraImage, trigger: Trigger): FrameOf<M> {
    const { width, height, remark } = image
    try {
      return {
        ...decode(image, this.#memory.take(this.#bytesOf(image))),
        modality: this.modality,
        sensor: this.name,
        sequence: ++this.#sequence,
        // The camera waited for our command, so an exposure before it is a mistake of the estimate.
        exposedAtMs:
          this.#options.trigger.kind === 'software'
            ? Math.max(image.exposedAtMs, Math.min(trigger.atMs, this.#clock.now()))
            : image.exposedAtMs,
        width,
        height,
        ...(remark && { remarks: [remark] satisfies readonly FrameRemark[] }),
      } as unknown as FrameOf<M> // the compiler does not see that modality and samples belong together
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new DriverError('DRIVER_BAD_FRAME', `${this.name}: ${error.message}`, { cause: error })
    }
  }

  async report(signal: AbortSignal): Promise<DeviceReport> {
    signal.throwIfAborted()
    const session = this.#session
    if (session === undefined) throw new DriverError('DRIVER_LOST', `${this.name} is not open`)
    const { camera, images } = session
    const temperatureCelsius = await camera.features.number('DeviceTemperature')
    const packetBytes = await camera.packetBytes()
    const counters = camera.counters()
    return {
      identity: await camera.identity(),
      ...(temperatureCelsius !== undefined && { temperatureCelsius }),
      counters: {
        ...counters,
        'not asked for': images.dropped,
        ...(packetBytes !== undefined && { 'packet bytes': packetBytes }),
      },
      advice: camera.isGigE ? await networkAdvice({ counters, packetBytes: packetBytes ?? 0 }) : [],
    }
  }

  /** A camera that does not answer takes seconds to leave: on threads of its own, and nobody else waits for them. */
  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    if (opening !== undefined) {
      this.#closing = this.#closing.then(async () => {
        await opening.catch(() => undefined)
        const session = this.#session
        this.#session = undefined
        if (session === undefined) return
        await session.close()
      })
    }
    await this.#closing
  }
}
