/**
 * A GenICam camera, from its name to its frames: GigE Vision and USB3 Vision. Frames stay in the library's memory until
 * somebody takes them, so that a free-running camera costs nothing but its packets.
 */
import {
  AravisError,
  DEVICE_NOT_FOUND,
  type Address,
  type AravisLibrary,
  type SignalPipe,
} from './aravis-library.ts'
import { delay, type Clock } from './clock.ts'
import { DeviceClock } from './device-clock.ts'
import { DriverError } from './driver.ts'
import type { FrameRemark } from './frame.ts'
import { GenicamFeatures, type FeatureValue } from './genicam-features.ts'
import { socketBufferLimitBytes } from './genicam-network.ts'
import { imageBytes, pixelFormatName } from './genicam-pixels.ts'
import { LeaderArrivals } from './leader-arrivals.ts'

export type GenicamTrigger =
  | { readonly kind: 'free-run'; readonly framesPerSecond?: number }
  /** Each capture sends the camera a command. */
  | { readonly kind: 'software' }
  /** A signal at one of the camera's lines. */
  | {
      readonly kind: 'hardware'
      readonly line: string
      readonly activation: 'RisingEdge' | 'FallingEdge' | 'AnyEdge'
    }

export interface Region {
  readonly leftPixels: number
  readonly topPixels: number
  readonly widthPixels: number
  readonly heightPixels: number
}

export interface GenicamCameraOptions {
  readonly sensor: string
  /** IP or MAC address, user's name, maker-serial or maker-model-serial; the first that is found when it is not given. */
  readonly camera?: string
  readonly trigger: GenicamTrigger
  readonly exposureMicroseconds?: number
  /** In the camera's own unit, most often dB. */
  readonly gain?: number
  readonly region?: Region
  /** The camera's name for it. */
  readonly pixelFormat?: string
  /** GigE Vision, with headers. `auto` asks camera and network for the largest. As the camera has it when not given. */
  readonly packetBytes?: number | 'auto'
  /** Pause between packets, for cameras that share a link. */
  readonly packetDelayNanoseconds?: number
  /** In this order, after all of the above. */
  readonly features?: Readonly<Record<string, FeatureValue>>
  /**
   * From the start of exposure to the first packet, at best. When it is not given an exposure counts as begun when its first
   * packet comes, or an exposure time before the whole frame is there.
   */
  readonly pathMs?: number
  readonly clock: Clock
}

export interface CameraImage {
  readonly exposedAtMs: number
  readonly remark?: FrameRemark
  readonly pixelFormat: number
  readonly width: number
  readonly height: number
  /** The library's memory: gone after `release`. */
  readonly bytes: Uint8Array
  /** Gives the memory back to the camera. Must be called once. */
  release(): void
}

export interface CameraEvents {
  onImage(image: CameraImage): void
  /** A frame that cannot be used came instead of one, exposed about then. */
  onDamaged(error: DriverError, exposedAtMs: number): void
  /** The library says that the camera does not obey us any more. */
  onControlLost(): void
}

export interface GenicamCamera {
  readonly features: GenicamFeatures
  readonly width: number
  readonly height: number
  /** Of a free-running camera, as it says; undefined when it is triggered or does not say. */
  readonly framesPerSecond: number | undefined
  /** Rejects when the camera does not answer, which takes it up to 2.5 s. */
  softwareTrigger(): Promise<void>
  identity(): Promise<string>
  isGigE: boolean
  /** GigE Vision. */
  packetBytes(): Promise<number | undefined>
  counters(): Readonly<Record<string, number>>
  /** Every image must have been released. Never rejects; takes seconds when the camera does not answer. */
  close(): Promise<void>
  /** The same for one that is known to be gone: nothing is asked of it that can be left out. */
  abandon(): Promise<void>
}

/** Enough for four kept frames, one being taken and the ones that are on their way. */
const BUFFERS = 10
/** A camera forgets a controller that has vanished after 3 s, by default of the standard. */
const CONTROL_WAIT_MS = 4000
const CONTROL_RETRY_MS = 200
/** A thread of the library tells of a signal in microseconds. */
const TELLING_MS = 5000
const TELLING_POLL_MS = 10
const STREAM_OPTION_NO_PACKET_RING = 1
/** Asked for; the kernel gives net.core.rmem_max at most. */
const SOCKET_BUFFER_BYTES = 16_777_216
const PAYLOAD_IMAGE = 0x0001
/** The image lies first in it. */
const PAYLOAD_CHUNKS = 0x0004
/** ArvBufferStatus */
const STATUS = [
  'complete',
  'cleared',
  'late',
  'incomplete',
  'misnumbered',
  'wrong-size',
  'filling',
  'aborted',
] as const
const COUNTS = {
  incomplete: 'n_failures',
  underruns: 'n_underruns',
  'missing frames': 'n_missing_frames',
  packets: 'n_received_packets',
  'missing packets': 'n_missing_packets',
  'resend requests': 'n_resend_requests',
  'resent packets': 'n_resent_packets',
} as const

/** Rejects with DRIVER_UNAVAILABLE, and with the signal's reason. Then nothing is held. */
export async function openGenicamCamera(
  library: AravisLibrary,
  options: GenicamCameraOptions,
  events: CameraEvents,
  signal: AbortSignal,
): Promise<GenicamCamera> {
  signal.throwIfAborted()
  const { sensor } = options
  let camera: Address
  try {
    camera = notNull(await library.call('openCamera', options.camera ?? null))
  } catch (error) {
    throw openingError(sensor, options.camera, error)
  }
  const held = new HeldCamera(library, camera, options.clock)
  try {
    signal.throwIfAborted()
    await takeControl(library, held, options, signal)
    return await startCamera(library, held, options, events, signal)
  } catch (error) {
    await held.close()
    throw error instanceof AravisError ? openingError(sensor, options.camera, error) : error
  }
}

/** What must be undone of a camera, in this order. */
class HeldCamera {
  readonly camera: Address
  readonly device: Address
  readonly #library: AravisLibrary
  readonly #clock: Clock
  /** Of the device, while nothing is told of it. */
  readonly #references: number
  stream: Address | undefined
  pipe: SignalPipe | undefined
  isStarted = false
  isAnswering = true
  /** The stream is being given up on another thread: it must not be touched any more. */
  isReleased = false
  /** The call to the camera that is under way: its objects must outlive it. */
  calling: Promise<unknown> = Promise.resolve()

  constructor(library: AravisLibrary, camera: Address, clock: Clock) {
    this.#library = library
    this.#clock = clock
    this.camera = camera
    this.device = notNull(library.direct('device', camera))
    this.#references = library.references(this.device)
  }

  async close(): Promise<void> {
    await this.calling.catch(() => undefined)
    // A camera that is gone would let us wait for its answer; one that is only slow stops when we leave control.
    if (this.isStarted && this.isAnswering) {
      await this.#library.call('stop', this.camera).catch(() => undefined)
    }
    if (this.stream !== undefined) this.#library.direct('setEmitSignals', this.stream, 0)
    this.pipe?.disconnect()
    this.isReleased = true
    // The stream's thread ends with it, then the heartbeat's with the camera: nobody writes into the pipe after that.
    if (this.stream !== undefined) await this.#library.release(this.stream, this.#clock)
    await this.#toldAll()
    await this.#library.release(this.camera, this.#clock)
    this.pipe?.close()
  }

  /**
   * The heartbeat's thread holds the device while it tells that control is lost. Were it the last to hold it, it would end the
   * device, wait there for its own end, and libaravis would end the process for that ("Resource deadlock avoided").
   */
  async #toldAll(): Promise<void> {
    const sinceMs = this.#clock.now()
    const never = new AbortController().signal
    while (
      this.#library.references(this.device) > this.#references &&
      this.#clock.now() - sinceMs < TELLING_MS
    ) {
      await delay(TELLING_POLL_MS, never, this.#clock)
    }
  }
}

function openingError(sensor: string, camera: string | undefined, error: unknown): unknown {
  if (!(error instanceof AravisError)) return error
  const name = camera ?? 'any camera'
  const message =
    error.code === DEVICE_NOT_FOUND
      ? `${sensor}: ${name} was not found on any network interface or USB port`
      : `${sensor}: ${name}: ${error.message}`
  return new DriverError('DRIVER_UNAVAILABLE', message, { cause: error })
}

/** A camera obeys one program. When ours died without a word, it waits for the dead one's heartbeat first. */
async function takeControl(
  library: AravisLibrary,
  { camera, device }: HeldCamera,
  { sensor, clock }: GenicamCameraOptions,
  signal: AbortSignal,
): Promise<void> {
  if (library.direct('isGigE', camera) === 0) return
  const sinceMs = clock.now()
  while (library.direct('isController', device) === 0) {
    if (clock.now() - sinceMs > CONTROL_WAIT_MS) {
      throw new DriverError(
        'DRIVER_UNAVAILABLE',
        `${sensor}: another program controls the camera; it is refused to us since ${CONTROL_WAIT_MS / 1000} s`,
      )
    }
    await delay(CONTROL_RETRY_MS, signal, clock)
    await library.call('takeControl', device).catch((error: unknown) => {
      if (!(error instanceof AravisError)) throw error // refused again
    })
  }
}

async function startCamera(
  library: AravisLibrary,
  held: HeldCamera,
  options: GenicamCameraOptions,
  events: CameraEvents,
  signal: AbortSignal,
): Promise<GenicamCamera> {
  const { sensor, clock } = options
  const { camera, device } = held
  const features = new GenicamFeatures(library, device)
  const isGigE = library.direct('isGigE', camera) !== 0
  for (const setting of settingsOf(library, camera, features, options, isGigE)) {
    await setting()
    signal.throwIfAborted()
  }
  const width = (await features.number('Width')) ?? 0
  const height = (await features.number('Height')) ?? 0
  const framesPerSecond =
    options.trigger.kind === 'free-run'
      ? (options.trigger.framesPerSecond ?? (await library.call('frameRate', camera).catch(() => undefined)))
      : undefined
  const exposureMs = ((await library.call('exposureMicroseconds', camera).catch(() => 0)) ?? 0) / 1000
  const isWallClock =
    ((await features.flag('PtpEnable')) ?? (await features.flag('GevIEEE1588')) ?? false) === true
  const deviceClock = new DeviceClock({ pathMs: options.pathMs ?? 0, isWallClock })
  const arrivals = new LeaderArrivals({ clock, wallMs: () => library.direct('wallMicroseconds') / 1000 })

  const payload = await library.call('payload', camera)
  // The ring of raw packets loses least, and needs a right of its own, but the kernel hands packets over in blocks every
  // 5 ms. An ordinary socket is faster (4.7 ms instead of 8 to a 1.3 MB frame, 2 cores) where a frame fits its buffer.
  if (isGigE && (await socketBufferLimitBytes()) >= payload) {
    library.direct('setStreamOptions', camera, STREAM_OPTION_NO_PACKET_RING)
  }
  const stream = notNull(
    await library.withLargeSockets(SOCKET_BUFFER_BYTES, () =>
      library.call('createStream', camera, null, null),
    ),
  )
  held.stream = stream
  const views = new Map<Address, Uint8Array>()
  /** To the library. A frame whose first packet is lost would keep the times of the one before it. */
  const offer = (buffer: Address): void => {
    library.direct('setBufferTimestampNanoseconds', buffer, 0)
    library.direct('setBufferSystemTimestampNanoseconds', buffer, 0)
    library.direct('pushBuffer', stream, buffer)
  }
  for (let count = 0; count < BUFFERS; count++) offer(notNull(library.direct('newBuffer', payload, null)))
  /** Some cameras send the first packet when exposure begins, most when it is over: not known better, it may have begun so late. */
  const latestMs = (arrivedAtMs: number): number =>
    options.pathMs === undefined ? Math.min(arrivedAtMs, clock.now() - exposureMs) : arrivedAtMs
  let frames = 0
  let damaged = 0

  const take = (buffer: Address): void => {
    const notedWallMs = library.direct('bufferSystemTimestampNanoseconds', buffer) / 1e6
    const stampMs = library.direct('bufferTimestampNanoseconds', buffer) / 1e6
    const { exposedAtMs, remark } = deviceClock.read(stampMs, latestMs(arrivals.arrivedAtMs(notedWallMs)))
    const release = () => {
      if (!held.isReleased) offer(buffer)
      else library.direct('unref', buffer)
    }
    const status = STATUS[library.direct('bufferStatus', buffer)] ?? 'unknown'
    const fail = (what: string): void => {
      damaged++
      release()
      const error = new DriverError(
        'DRIVER_BAD_FRAME',
        `${sensor} ${what} (${damaged} of ${frames + damaged})`,
      )
      events.onDamaged(error, exposedAtMs)
    }
    if (status !== 'complete') {
      const missing = library.direct('streamCount', stream, COUNTS['missing packets'])
      return fail(`sent a frame that is ${status}, ${missing} packets missing since it was opened`)
    }
    const payloadType = library.direct('bufferPayloadType', buffer)
    if (payloadType !== PAYLOAD_IMAGE && payloadType !== PAYLOAD_CHUNKS) {
      return fail(`sent payload type 0x${payloadType.toString(16)}, expected an image`)
    }
    const image = {
      pixelFormat: library.direct('bufferPixelFormat', buffer),
      width: library.direct('bufferWidth', buffer),
      height: library.direct('bufferHeight', buffer),
    }
    if (image.width !== width || image.height !== height) {
      return fail(`sent ${image.width}x${image.height}, expected ${width}x${height}`)
    }
    // One view per buffer, as long as the camera is open: making one costs more than a small frame.
    let bytes = views.get(buffer)
    if (bytes === undefined) views.set(buffer, (bytes = library.bufferBytes(buffer)))
    const needed = imageBytes(image)
    if (bytes.length < needed) {
      return fail(
        `sent ${bytes.length} bytes, expected ${needed} for ${width}x${height} ${pixelFormatName(image.pixelFormat)}`,
      )
    }
    frames++
    events.onImage({ ...image, bytes, exposedAtMs, ...(remark && { remark }), release })
  }

  const pipe = library.openSignalPipe((senders) => {
    while (!held.isReleased) {
      const buffer = library.direct('tryPopBuffer', stream)
      if (buffer === null) break
      take(buffer)
    }
    if (senders.has(device)) events.onControlLost()
  })
  held.pipe = pipe
  pipe.connect(stream, 'new-buffer')
  pipe.connect(device, 'control-lost')
  library.direct('setEmitSignals', stream, 1)
  held.isStarted = true
  await library.call('start', camera)
  signal.throwIfAborted()

  let closing: Promise<void> | undefined
  return {
    features,
    width,
    height,
    framesPerSecond,
    isGigE,
    softwareTrigger() {
      const calling = library.call('softwareTrigger', camera)
      held.calling = calling
      return calling
    },
    async identity() {
      const parts = [
        await library.call('vendor', camera),
        await library.call('model', camera),
        await library.call('serial', camera),
      ]
      return parts.filter((part) => part !== null && part !== '').join(' ')
    },
    async packetBytes() {
      return isGigE ? library.call('packetSize', camera) : undefined
    },
    counters: () => ({
      frames,
      ...Object.fromEntries(
        Object.entries(COUNTS).map(([name, info]) => [name, library.direct('streamCount', stream, info)]),
      ),
    }),
    close() {
      closing ??= held.close()
      return closing
    },
    abandon() {
      held.isAnswering = false
      closing ??= held.close()
      return closing
    },
  }
}

/** In the order in which cameras want them: what the payload depends on first. */
function settingsOf(
  library: AravisLibrary,
  camera: Address,
  features: GenicamFeatures,
  options: GenicamCameraOptions,
  isGigE: boolean,
): (() => Promise<unknown>)[] {
  const { pixelFormat, region, trigger, exposureMicroseconds, gain, packetBytes } = options
  // It may still be running for a program that has died; what is set below is locked as long as it runs.
  const settings: (() => Promise<unknown>)[] = [() => library.call('stop', camera)]
  const set = (setting: () => Promise<unknown>): void => void settings.push(setting)
  if (pixelFormat !== undefined) set(() => features.set('PixelFormat', pixelFormat))
  if (region !== undefined) {
    const { leftPixels, topPixels, widthPixels, heightPixels } = region
    set(() => library.call('setRegion', camera, leftPixels, topPixels, widthPixels, heightPixels))
  }
  set(() => features.select('AcquisitionMode', 'Continuous'))
  switch (trigger.kind) {
    case 'free-run': {
      const { framesPerSecond } = trigger
      set(() => library.call('clearTriggers', camera))
      if (framesPerSecond !== undefined) set(() => library.call('setFrameRate', camera, framesPerSecond))
      break
    }
    case 'software':
      set(() => library.call('setTrigger', camera, 'Software'))
      break
    case 'hardware': {
      const { line, activation } = trigger
      set(() => library.call('setTrigger', camera, line))
      // RisingEdge is set above, where the camera has a choice.
      if (activation !== 'RisingEdge') set(() => features.set('TriggerActivation', activation))
      break
    }
  }
  if (exposureMicroseconds !== undefined) {
    set(() => library.call('setExposureMicroseconds', camera, exposureMicroseconds))
  }
  if (gain !== undefined) set(() => library.call('setGain', camera, gain))
  const { packetDelayNanoseconds } = options
  if (isGigE && packetDelayNanoseconds !== undefined) {
    set(() => library.call('setPacketDelayNanoseconds', camera, packetDelayNanoseconds))
  }
  if (isGigE && packetBytes === 'auto') set(() => library.call('autoPacketSize', camera))
  else if (isGigE && packetBytes !== undefined) set(() => library.call('setPacketSize', camera, packetBytes))
  for (const [name, value] of Object.entries(options.features ?? {})) set(() => features.set(name, value))
  return settings
}

function notNull(address: Address | null): Address {
  if (address === null) throw new AravisError(-1, 'the library gave nothing and no reason')
  return address
}
