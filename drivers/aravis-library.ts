/**
 * The door to libaravis, the library that speaks GigE Vision and USB3 Vision, opened at run time through koffi: without it
 * the daemon runs, and a camera says what to install.
 *
 * Three ways to call it. Directly, for what touches memory only. `call`, on a thread of libuv's pool, for what asks the
 * camera: less than a millisecond when it is there. `release`, for what blocks for seconds when it is not (2.5 s per
 * register that nobody answers, 13 s were measured in all): the pool has four threads for the whole process, and six
 * blocked calls were measured to hold up a file read until they ended.
 *
 * Frames need no thread at all. A callback into JavaScript would hold libaravis' receiving thread until the event loop
 * has time for it, and packets would be lost; a blocking pop would hold a thread of the pool per camera; polling costs a
 * millisecond. So the library's signals are connected to C's own `eventfd_write(fd, value)`, which writes its second
 * argument into any descriptor: here the non-blocking pipe of `openSignalPipe`.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import koffi, { type LibraryHandle } from 'koffi'
import { delay, type Clock } from './clock.ts'
import { DriverError } from './driver.ts'
import { messageOf } from './message-of.ts'

/** Addresses of the library's objects. Null where it says NULL. */
export type Address = bigint
type KoffiFunction = ReturnType<LibraryHandle['func']>
type Argument = Address | number | string | null

const ARAVIS = {
  openCamera: 'void *arv_camera_new(const char *name, _Out_ void **error)',
  device: 'void *arv_camera_get_device(void *camera)',
  isGigE: 'int arv_camera_is_gv_device(void *camera)',
  isController: 'int arv_gv_device_is_controller(void *device)',
  takeControl: 'int arv_gv_device_take_control(void *device, _Out_ void **error)',
  vendor: 'const char *arv_camera_get_vendor_name(void *camera, _Out_ void **error)',
  model: 'const char *arv_camera_get_model_name(void *camera, _Out_ void **error)',
  serial: 'const char *arv_camera_get_device_serial_number(void *camera, _Out_ void **error)',
  setExposureMicroseconds: 'void arv_camera_set_exposure_time(void *camera, double us, _Out_ void **error)',
  exposureMicroseconds: 'double arv_camera_get_exposure_time(void *camera, _Out_ void **error)',
  setGain: 'void arv_camera_set_gain(void *camera, double gain, _Out_ void **error)',
  setFrameRate: 'void arv_camera_set_frame_rate(void *camera, double rate, _Out_ void **error)',
  frameRate: 'double arv_camera_get_frame_rate(void *camera, _Out_ void **error)',
  setRegion: 'void arv_camera_set_region(void *camera, int x, int y, int w, int h, _Out_ void **error)',
  setTrigger: 'void arv_camera_set_trigger(void *camera, const char *source, _Out_ void **error)',
  clearTriggers: 'void arv_camera_clear_triggers(void *camera, _Out_ void **error)',
  softwareTrigger: 'void arv_camera_software_trigger(void *camera, _Out_ void **error)',
  setPacketSize: 'void arv_camera_gv_set_packet_size(void *camera, int bytes, _Out_ void **error)',
  autoPacketSize: 'uint arv_camera_gv_auto_packet_size(void *camera, _Out_ void **error)',
  packetSize: 'uint arv_camera_gv_get_packet_size(void *camera, _Out_ void **error)',
  setPacketDelayNanoseconds:
    'void arv_camera_gv_set_packet_delay(void *camera, int64_t ns, _Out_ void **error)',
  payload: 'uint arv_camera_get_payload(void *camera, _Out_ void **error)',
  createStream:
    'void *arv_camera_create_stream(void *camera, void *callback, void *data, _Out_ void **error)',
  setStreamOptions: 'void arv_camera_gv_set_stream_options(void *camera, int options)',
  stop: 'void arv_camera_stop_acquisition(void *camera, _Out_ void **error)',
  start: 'void arv_camera_start_acquisition(void *camera, _Out_ void **error)',
  isFeatureAvailable:
    'int arv_device_is_feature_available(void *device, const char *feature, _Out_ void **error)',
  feature: 'void *arv_device_get_feature(void *device, const char *feature)',
  setString:
    'void arv_device_set_string_feature_value(void *d, const char *f, const char *value, _Out_ void **error)',
  setInteger:
    'void arv_device_set_integer_feature_value(void *d, const char *f, int64_t value, _Out_ void **error)',
  setFloat:
    'void arv_device_set_float_feature_value(void *d, const char *f, double value, _Out_ void **error)',
  setBoolean:
    'void arv_device_set_boolean_feature_value(void *d, const char *f, int value, _Out_ void **error)',
  execute: 'void arv_device_execute_command(void *device, const char *feature, _Out_ void **error)',
  getString: 'const char *arv_device_get_string_feature_value(void *d, const char *f, _Out_ void **error)',
  getInteger: 'int64_t arv_device_get_integer_feature_value(void *d, const char *f, _Out_ void **error)',
  getFloat: 'double arv_device_get_float_feature_value(void *d, const char *f, _Out_ void **error)',
  getBoolean: 'int arv_device_get_boolean_feature_value(void *d, const char *f, _Out_ void **error)',
  setEmitSignals: 'void arv_stream_set_emit_signals(void *stream, int emit)',
  pushBuffer: 'void arv_stream_push_buffer(void *stream, void *buffer)',
  tryPopBuffer: 'void *arv_stream_try_pop_buffer(void *stream)',
  streamCount: 'uint64_t arv_stream_get_info_uint64_by_name(void *stream, const char *name)',
  newBuffer: 'void *arv_buffer_new(size_t size, void *memory)',
  bufferStatus: 'int arv_buffer_get_status(void *buffer)',
  bufferPayloadType: 'int arv_buffer_get_payload_type(void *buffer)',
  bufferData: 'void *arv_buffer_get_data(void *buffer, _Out_ size_t *size)',
  bufferTimestampNanoseconds: 'uint64_t arv_buffer_get_timestamp(void *buffer)',
  setBufferTimestampNanoseconds: 'void arv_buffer_set_timestamp(void *buffer, uint64_t ns)',
  bufferSystemTimestampNanoseconds: 'uint64_t arv_buffer_get_system_timestamp(void *buffer)',
  setBufferSystemTimestampNanoseconds: 'void arv_buffer_set_system_timestamp(void *buffer, uint64_t ns)',
  bufferPixelFormat: 'uint32_t arv_buffer_get_image_pixel_format(void *buffer)',
  bufferWidth: 'int arv_buffer_get_image_width(void *buffer)',
  bufferHeight: 'int arv_buffer_get_image_height(void *buffer)',
  updateDevices: 'void arv_update_device_list(void)',
  deviceCount: 'uint arv_get_n_devices(void)',
  deviceId: 'const char *arv_get_device_id(uint index)',
  deviceAddress: 'const char *arv_get_device_address(uint index)',
  deviceProtocol: 'const char *arv_get_device_protocol(uint index)',
  // GLib's, through libaravis' own dependencies.
  wallMicroseconds: 'int64_t g_get_real_time(void)',
  typeName: 'const char *g_type_name_from_instance(void *instance)',
  freeError: 'void g_error_free(void *error)',
  unref: 'void g_object_unref(void *object)',
  connect:
    'ulong g_signal_connect_data(void *object, const char *signal, void *function, intptr_t data, void *destroy, int flags)',
  disconnect: 'void g_signal_handler_disconnect(void *object, ulong handler)',
  newPool:
    'void *g_thread_pool_new(void *function, void *data, int threads, int exclusive, _Out_ void **error)',
  pushPool: 'int g_thread_pool_push(void *pool, void *data, _Out_ void **error)',
  poolWaiting: 'uint g_thread_pool_unprocessed(void *pool)',
  freePool: 'void g_thread_pool_free(void *pool, int immediate, int wait)',
} as const
type Prototypes = typeof ARAVIS
export type AravisFunction = keyof Prototypes

type ResultOf<P> = P extends `void *${string}`
  ? Address | null
  : P extends `const char *${string}`
    ? string | null
    : P extends `void ${string}`
      ? void
      : number

/** What a call of the library said went wrong. */
export class AravisError extends Error {
  override readonly name = 'AravisError'
  /** Of `ArvDeviceError`, or of the call's other error domains. */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** `ArvDeviceError`s that are worth telling apart. */
export const DEVICE_NOT_FOUND = 6

export interface AravisLibrary {
  /** For functions that touch memory only. */
  direct<F extends AravisFunction>(name: F, ...parameters: Argument[]): ResultOf<Prototypes[F]>
  /** For functions that ask the camera and have an error. Rejects with AravisError. Cannot be stopped. */
  call<F extends AravisFunction>(name: F, ...parameters: Argument[]): Promise<ResultOf<Prototypes[F]>>
  /** Gives up the object on a thread of its own; resolves when it is gone. */
  release(object: Address, clock: Clock): Promise<void>
  /** How many hold an object: whoever counts, and any thread that is just telling of one of its signals. */
  references(object: Address): number
  /** Signals of the library's objects, see above. */
  openSignalPipe(onSignals: (senders: ReadonlySet<Address>) => void): SignalPipe
  /**
   * Gives large receive buffers to the UDP sockets that `work` opens. The library does so only when the first packet has
   * come, and then the first frame is lost.
   */
  withLargeSockets<T>(bytes: number, work: () => Promise<T>): Promise<T>
  /** Memory of the library: valid as long as its owner is. */
  bytesAt(address: Address, size: number): Uint8Array
  /** A buffer's memory. */
  bufferBytes(buffer: Address): Uint8Array
}

export interface SignalPipe {
  /** Each time `object` emits `signal`, `onSignals` hears of it. */
  connect(object: Address, signal: string): void
  /** Ends every `connect`. A thread that is just telling of a signal goes on until it has told. */
  disconnect(): void
  /** Only after the objects are gone: their threads write into it. */
  close(): void
}

const LIBRARY = 'libaravis-0.8.so.0'

let opened: AravisLibrary | undefined

/**
 * A library is loaded once per process and stays.
 *
 * @throws DriverError `DRIVER_UNAVAILABLE`: what to install
 */
export function openAravis(): AravisLibrary {
  // A process has each library once, so this is no state of ours.
  opened ??= loadAravis(LIBRARY)
  return opened
}

/** @throws DriverError `DRIVER_UNAVAILABLE`: what to install */
export function loadAravis(file: string): AravisLibrary {
  try {
    return bind(koffi.load(file), koffi.load('libc.so.6'))
  } catch (cause) {
    throw new DriverError(
      'DRIVER_UNAVAILABLE',
      `${file} cannot be opened (${messageOf(cause)}); Debian and Ubuntu: apt-get install libaravis-0.8-0`,
      { cause },
    )
  }
}

function bind(aravis: LibraryHandle, libc: LibraryHandle): AravisLibrary {
  const functions = Object.fromEntries(
    Object.entries(ARAVIS).map(([name, prototype]) => [name, aravis.func(prototype)]),
  ) as Record<AravisFunction, KoffiFunction>
  const errorLayout = koffi.struct({ domain: 'uint32_t', code: 'int', message: 'const char *' })
  const getOption = libc.func('int getsockopt(int socket, int level, int option, void *value, void *size)')
  const setOption = libc.func('int setsockopt(int socket, int level, int option, void *value, int size)')
  const pipe2 = libc.func('int pipe2(_Out_ int *descriptors, int flags)')
  const closeDescriptor = libc.func('int close(int descriptor)')
  const writeAddress: Address = libc.symbol('eventfd_write')

  /** 64-bit numbers come as BigInt when they are large; addresses always do, and stay. */
  const resultOf = <F extends AravisFunction>(name: F, value: unknown): ResultOf<Prototypes[F]> =>
    (typeof value === 'bigint' && !ARAVIS[name].startsWith('void *') ? Number(value) : value) as ResultOf<
      Prototypes[F]
    >
  const errorOf = (address: Address): AravisError => {
    const { code, message } = koffi.decode(address, errorLayout) as { code: number; message: string }
    functions.freeError(address)
    return new AravisError(code, message)
  }

  const library: AravisLibrary = {
    direct: (name, ...parameters) => resultOf(name, functions[name](...parameters)),
    call: (name, ...parameters) =>
      new Promise((resolve, reject) => {
        const error: (Address | null)[] = [null]
        functions[name].async(...parameters, error, (failure: unknown, value: unknown) => {
          const address = error[0] ?? null
          if (failure) reject(failure)
          else if (address !== null) reject(errorOf(address))
          else resolve(resultOf(name, value))
        })
      }),
    async release(object, clock) {
      const error: (Address | null)[] = [null]
      const pool = functions.newPool(aravis.symbol('g_object_unref'), null, 1, 0, error) as Address
      functions.pushPool(pool, object, error)
      // The one thread takes them in turn: when it has begun with the second, which is nobody's, the first is gone.
      functions.pushPool(pool, functions.newBuffer(0, null), error)
      const never = new AbortController().signal
      while (functions.poolWaiting(pool) !== 0) await delay(RELEASE_POLL_MS, never, clock)
      functions.freePool(pool, 0, 0)
    },
    // GObject: its class's address, then the count.
    references: (object) => koffi.decode(object, 8, 'uint32_t') as number,
    openSignalPipe(onSignals) {
      const descriptors = new Int32Array(2)
      if (pipe2(descriptors, O_NONBLOCK | O_CLOEXEC) !== 0) {
        throw new DriverError('DRIVER_UNAVAILABLE', `no pipe: error ${koffi.errno()}`)
      }
      const [reader, writer] = descriptors as unknown as [number, number]
      const socket = new Socket({ fd: reader, readable: true, writable: false })
      socket.on('error', () => undefined) // it is only ever closed by us
      // Eight bytes are written at once, and the reader asks for 64 KiB: they always come whole.
      socket.on('data', (chunk: Buffer) => {
        const senders = new Set<Address>()
        for (let at = 0; at + 8 <= chunk.length; at += 8) senders.add(chunk.readBigUInt64LE(at))
        onSignals(senders)
      })
      const connected: { readonly object: Address; readonly handler: unknown }[] = []
      return {
        connect(object, signal) {
          // Swapped: the descriptor comes first, the sender second.
          const handler: unknown = functions.connect(
            object,
            signal,
            writeAddress,
            writer,
            null,
            G_CONNECT_SWAPPED,
          )
          connected.push({ object, handler })
        },
        disconnect() {
          for (const { object, handler } of connected.splice(0)) functions.disconnect(object, handler)
        },
        close() {
          socket.destroy()
          closeDescriptor(writer)
        },
      }
    },
    async withLargeSockets(bytes, work) {
      const before = openSockets()
      const result = await work()
      const size = Int32Array.of(bytes)
      for (const [inode, descriptor] of openSockets()) {
        if (before.has(inode)) continue
        const type = new Int32Array(1)
        getOption(descriptor, SOL_SOCKET, SO_TYPE, type, Int32Array.of(4))
        if (type[0] !== SOCK_DGRAM) continue
        // With CAP_NET_ADMIN net.core.rmem_max is no limit.
        const isForced = setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) === 0
        if (!isForced) setOption(descriptor, SOL_SOCKET, SO_RCVBUF, size, 4)
      }
      return result
    },
    bytesAt: (address, size) => new Uint8Array(koffi.view(address, size)),
    bufferBytes(buffer) {
      const size = [0]
      const address = functions.bufferData(buffer, size) as Address
      return library.bytesAt(address, Number(size[0]))
    },
  }
  return library
}

/** Descriptors by the sockets' inodes: a number alone may be another socket's soon. */
function openSockets(): ReadonlyMap<string, number> {
  const sockets = new Map<string, number>()
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`)
      if (target.startsWith('socket:')) sockets.set(target, Number(name))
    } catch {
      // The descriptor that listed the folder is gone.
    }
  }
  return sockets
}

const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const SOCK_DGRAM = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const G_CONNECT_SWAPPED = 2
const RELEASE_POLL_MS = 10
