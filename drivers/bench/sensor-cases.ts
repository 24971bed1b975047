/** What `bench sensors` measures: drivers and the peers that they are measured against. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { BridgeDriver } from '../bridge.ts'
import type { Frame } from '../frame.ts'
import { gstreamerCamera } from '../gstreamer-sensors.ts'
import { rawLayout } from '../pixel-formats.ts'
import type { SensorBenchCase } from './sensors.ts'

const PYTHON = '/usr/bin/python3'
const STAMPED_FPS = 25
/** CLOCK_MONOTONIC where `performance.now()` has its zero. */
const ZERO_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** By the frame's own stamp: bridges on this machine tell CLOCK_MONOTONIC, which is the clock of `performance.now()`. */
const byStamp = ({ exposedAtMs }: Frame): number => performance.now() - exposedAtMs

export const bridgeCases: readonly SensorBenchCase[] = [
  bridgeCase({ form: 'Mono8', size: '1280x1024', framesPerSecond: 25 }),
  bridgeCase({ form: 'ABC32f', size: '972x600', framesPerSecond: 25 }),
  bridgeCase({ form: 'ABC32f', size: '1944x1200', framesPerSecond: 10 }),
]

function bridgeCase({
  form,
  size,
  framesPerSecond,
}: {
  readonly form: 'Mono8' | 'ABC32f'
  readonly size: `${number}x${number}`
  readonly framesPerSecond: number
}): SensorBenchCase {
  const [width, height] = size.split('x').map(Number) as [number, number]
  const megabytes = (width * height * (form === 'Mono8' ? 1 : 12)) / 1e6
  return {
    sensor: `bridge ${form} ${size} (${megabytes.toFixed(1)} MB)`,
    peer: 'reference bridge in C',
    exposure: 'stamp of the bridge, CLOCK_MONOTONIC',
    framesPerSecond,
    asks: true,
    async open({ driversFolder }) {
      const folder = await mkdtemp(path.join(tmpdir(), 'radar-edge-bench-'))
      const program = path.join(folder, 'bridge')
      const source = path.join(driversFolder, 'bridges', 'bridge.c')
      const { error, status, stderr } = spawnSync('gcc', ['-O2', '-o', program, source, '-lm', '-lz'], {
        encoding: 'utf8',
      })
      if (error !== undefined || status !== 0) {
        await rm(folder, { recursive: true })
        throw new Error(`the bridge in C cannot be built: ${error?.message ?? stderr}`)
      }
      const bridge = {
        name: 'bench',
        address: { command: [program, String(width), String(height), form, String(framesPerSecond)] },
        trigger: { kind: 'software' },
        settings: {},
      } as const
      return {
        driver:
          form === 'Mono8'
            ? new BridgeDriver({ ...bridge, modality: 'rgb' })
            : new BridgeDriver({ ...bridge, modality: 'xyz' }),
        latencyOf: byStamp,
        close: () => rm(folder, { recursive: true }),
      }
    },
  }
}

export const gstreamerCases: readonly SensorBenchCase[] = [
  {
    sensor: 'gstreamer test source RGB 1280x1024',
    peer: 'videotestsrc',
    exposure: 'not told',
    framesPerSecond: 50,
    asks: false,
    open: () =>
      Promise.resolve({
        driver: gstreamerCamera({
          name: 'bench',
          pipeline:
            'videotestsrc is-live=true pattern=ball ! video/x-raw,format=RGB,width=1280,height=1024,framerate=50/1',
          layout: rawLayout('RGB', { width: 1280, height: 1024 }),
          framesPerSecond: 50,
        }),
        latencyOf: () => undefined,
        close: () => Promise.resolve(),
      }),
  },
  stampedCase('raw', {
    sensor: 'gstreamer raw RGB 1280x1024 over TCP',
    peer: 'own sender of raw pictures',
    width: 1280,
    height: 1024,
    pipeline: (port) =>
      `tcpclientsrc host=127.0.0.1 port=${port} ! rawvideoparse format=rgb width=1280 height=1024 framerate=25/1`,
  }),
  stampedCase('rtsp', {
    sensor: 'gstreamer RTSP H.264 640x480',
    peer: "GStreamer's RTSP server, x264enc",
    width: 640,
    height: 480,
    pipeline: (port) =>
      `rtspsrc location=rtsp://127.0.0.1:${port}/stamped protocols=tcp latency=0 ! rtph264depay ! h264parse ! ` +
      'avdec_h264 ! videoconvert ! video/x-raw,format=RGB,width=640,height=480',
  }),
]

function stampedCase(
  mode: 'raw' | 'rtsp',
  {
    sensor,
    peer,
    width,
    height,
    pipeline,
  }: {
    readonly sensor: string
    readonly peer: string
    readonly width: number
    readonly height: number
    pipeline(port: number): string
  },
): SensorBenchCase {
  return {
    sensor,
    peer,
    exposure: 'CLOCK_MONOTONIC in the pixels, before encoding',
    framesPerSecond: STAMPED_FPS,
    asks: false,
    async open({ driversFolder }) {
      const script = path.join(driversFolder, 'bench', 'peers', 'stamped-pictures.py')
      const server = spawn(PYTHON, [script, mode, String(width), String(height), String(STAMPED_FPS)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const gone = once(server, 'close')
      const lines = createInterface({ input: server.stdout })
      const [line] = (await Promise.race([
        once(lines, 'line'),
        gone.then(([code]) => {
          throw new Error(`${PYTHON} ${path.basename(script)} ended with status ${code}`)
        }),
      ])) as [string]
      return {
        driver: gstreamerCamera({
          name: 'bench',
          pipeline: pipeline(Number(line)),
          layout: rawLayout('RGB', { width, height }),
          framesPerSecond: STAMPED_FPS,
        }),
        latencyOf: (frame) => performance.now() - stampOf(frame),
        async close() {
          server.kill('SIGKILL')
          await gone
        },
      }
    },
  }
}

/** 48 blocks of 16 x 16 pixels, 24 in a row: bits of a number of microseconds. Returns milliseconds. */
function stampOf(frame: Frame): number {
  if (frame.modality !== 'rgb') throw new TypeError('expected a picture')
  const { pixels, width } = frame
  let microseconds = 0
  for (let bit = 0; bit < 48; bit++) {
    const [row, column] = [Math.floor(bit / 24) * 16 + 8, (bit % 24) * 16 + 8]
    if (pixels[(row * width + column) * 3 + 1]! > 127) microseconds += 2 ** bit
  }
  return microseconds / 1000 - ZERO_MS
}
