/** GigE Vision cameras for `bench sensors`: fake ones over a real network, in a namespace of their own. Needs root. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monotonicClock } from '../clock.ts'
import { genicam } from '../genicam.ts'
import { genicam3d } from '../genicam3d.ts'
import { layCameraCable, whyNoCameraCable } from './camera-cable.ts'
import {
  buildFake3dCamera,
  fake3dCamera,
  fakeGigeCamera,
  whyNoFake3dCamera,
  whyNoFakeGigeCamera,
} from './fake-gige-camera.ts'
import type { SensorBenchCase } from './sensors.ts'

const EXPOSURE = 'the fake fires at multiples of its period by the wall clock'

export const genicamCases: readonly SensorBenchCase[] = [
  ...[25, 50, 100].map(mono8Case),
  {
    sensor: 'genicam3d Coord3D_ABC32f 640x480',
    peer: 'own fake on libaravis, veth pair',
    exposure: EXPOSURE,
    framesPerSecond: 25,
    asks: false,
    async open() {
      const why = whyNoCameraCable() || whyNoFake3dCamera()
      if (why) throw new Error(why)
      const folder = await mkdtemp(path.join(tmpdir(), 'radar-edge-bench-'))
      const cable = layCameraCable()
      const camera = fake3dCamera(cable, buildFake3dCamera(folder))
      await camera.start()
      return {
        driver: genicam3d({
          name: 'bench',
          camera: cable.cameraAddress,
          pixelFormat: 'Coord3D_ABC32f',
          region: { leftPixels: 0, topPixels: 0, widthPixels: 640, heightPixels: 480 },
          packetBytes: 8228,
          trigger: { kind: 'free-run', framesPerSecond: 25 },
          pathMs: 0,
          clock: monotonicClock,
        }),
        latencyOf: () => sinceMultipleOf(1000 / 25),
        async close() {
          await camera.kill()
          cable.remove()
          await rm(folder, { recursive: true })
        },
      }
    },
  },
]

function mono8Case(framesPerSecond: number): SensorBenchCase {
  return {
    sensor: `genicam Mono8 1280x1024 at ${framesPerSecond}`,
    peer: "Aravis' fake camera, veth pair",
    exposure: EXPOSURE,
    framesPerSecond,
    asks: false,
    async open() {
      const why = whyNoCameraCable() || whyNoFakeGigeCamera()
      if (why) throw new Error(why)
      const cable = layCameraCable()
      const camera = fakeGigeCamera(cable)
      await camera.start()
      return {
        driver: genicam({
          name: 'bench',
          camera: cable.cameraAddress,
          pixelFormat: 'Mono8',
          region: { leftPixels: 0, topPixels: 0, widthPixels: 1280, heightPixels: 1024 },
          packetBytes: 8228,
          trigger: { kind: 'free-run', framesPerSecond },
          pathMs: 0,
          clock: monotonicClock,
        }),
        latencyOf: () => sinceMultipleOf(1000 / framesPerSecond),
        async close() {
          await camera.kill()
          cable.remove()
        },
      }
    },
  }
}

/** By the wall clock. Right as long as it is less than a period. */
function sinceMultipleOf(periodMs: number): number {
  return (performance.now() + WALL_MS) % periodMs
}

/** The wall clock where `performance.now()` has its zero, to better than Date's whole millisecond. */
const WALL_MS = ((): number => {
  const before = Date.now()
  let now = before
  while (now === before) now = Date.now()
  return now - performance.now()
})()
