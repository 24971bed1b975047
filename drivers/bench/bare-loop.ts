/**
 * What GenICam drivers are measured against: the loop that everybody writes first. libaravis through koffi, a blocking pop on
 * a thread of the pool, a copy of the bytes as they are; no supervision, no conversion, nothing that ends in time when the
 * camera is gone.
 *
 * By itself it reads packets from the kernel's ring, which hands them over every few milliseconds: when in its turn a frame
 * ends is settled by chance when the stream is opened, so its latency differs from one opening to the next.
 */
import koffi, { type LibraryHandle } from 'koffi'
import type { Driver } from '../driver.ts'
import type { RgbFrame } from '../frame.ts'

export interface BareLoopOptions {
  readonly camera: string
  readonly pixelFormat: string
  readonly width: number
  readonly height: number
  readonly framesPerSecond: number
  readonly packetBytes: number
}

const POP_MICROSECONDS = 2_000_000
const BUFFERS = 8

/** The frames' `pixels` are the camera's bytes, whatever they mean. */
export function bareLoop(options: BareLoopOptions): Driver<'rgb'> {
  const { width, height } = options
  let session: ReturnType<typeof open> | undefined
  let sequence = 0
  return {
    name: 'bare loop',
    modality: 'rgb',
    open: () => Promise.resolve(void (session ??= open(koffi.load('libaravis-0.8.so.0'), options))),
    async capture(): Promise<RgbFrame> {
      const pixels = await session!.pop()
      const exposedAtMs = performance.now()
      return {
        modality: 'rgb',
        sensor: 'bare loop',
        sequence: ++sequence,
        exposedAtMs,
        width,
        height,
        pixels,
      }
    },
    close: () => Promise.resolve(void session?.stop()),
  }
}

function open(aravis: LibraryHandle, options: BareLoopOptions) {
  const { camera: name, pixelFormat, width, height, framesPerSecond, packetBytes } = options
  const run = (prototype: string, ...parameters: unknown[]): unknown => aravis.func(prototype)(...parameters)
  const camera = run('void *arv_camera_new(const char *name, void *error)', name, null)
  if (camera === null) throw new Error(`${name} was not found`)
  run(
    'void arv_camera_set_pixel_format_from_string(void *c, const char *f, void *e)',
    camera,
    pixelFormat,
    null,
  )
  run(
    'void arv_camera_set_region(void *c, int x, int y, int w, int h, void *e)',
    camera,
    0,
    0,
    width,
    height,
    null,
  )
  run('void arv_camera_set_frame_rate(void *c, double rate, void *e)', camera, framesPerSecond, null)
  run('void arv_camera_gv_set_packet_size(void *c, int size, void *e)', camera, packetBytes, null)
  const stream = run(
    'void *arv_camera_create_stream(void *c, void *f, void *d, void *e)',
    camera,
    null,
    null,
    null,
  )
  const payload = run('uint arv_camera_get_payload(void *c, void *e)', camera, null)
  const push = aravis.func('void arv_stream_push_buffer(void *stream, void *buffer)')
  for (let count = 0; count < BUFFERS; count++) {
    push(stream, run('void *arv_buffer_new(size_t size, void *memory)', payload, null))
  }
  const pop = aravis.func('void *arv_stream_timeout_pop_buffer(void *stream, uint64_t microseconds)')
  const statusOf = aravis.func('int arv_buffer_get_status(void *buffer)')
  const dataOf = aravis.func('void *arv_buffer_get_data(void *buffer, _Out_ size_t *size)')
  run('void arv_camera_start_acquisition(void *c, void *e)', camera, null)
  const next = (): Promise<bigint | null> =>
    new Promise((resolve, reject) => {
      pop.async(stream, POP_MICROSECONDS, (error: unknown, buffer: bigint | null) =>
        error ? reject(error) : resolve(buffer),
      )
    })
  return {
    async pop(): Promise<Uint8Array> {
      const buffer = await next()
      if (buffer === null) throw new Error('no frame came')
      try {
        if (statusOf(buffer) !== 0) throw new Error('an incomplete frame came')
        const size = [0]
        const address = dataOf(buffer, size) as bigint
        return new Uint8Array(koffi.view(address, Number(size[0]))).slice()
      } finally {
        push(stream, buffer)
      }
    },
    stop() {
      run('void arv_camera_stop_acquisition(void *c, void *e)', camera, null)
      run('void g_object_unref(void *object)', stream)
      run('void g_object_unref(void *object)', camera)
    },
  }
}
