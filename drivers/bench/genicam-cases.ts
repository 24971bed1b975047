/** GigE Vision cameras for `bench sensors`: fake ones over a real network, in a namespace of their own. Needs root. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monotonicClock } from '../clock.ts'
import { genicam } from '../genicam.ts'
import type { GenicamTrigger } from '../genicam-camera.ts'
import { genicam3d } from '../genicam3d.ts'
import { layCameraCable, whyNoCameraCable, type CameraCable } from './camera-cable.ts'
import {
  buildFake3dCamera,
  fake3dCamera,
  fakeGigeCamera,
  whyNoFake3dCamera,
  whyNoFakeGigeCamera,
  type GigeCamera,
} from './fake-gige-camera.ts'
import type { OpenCase, SensorBenchCase } from './sensors.ts'

const EXPOSURE = 'the fake fires at multiples of its period by the wall clock'

const FREE = { name: 'bench', packetBytes: 8228, pathMs: 0, clock: monotonicClock } as const

export const genicamCases: readonly SensorBenchCase[] = [
  ...[25, 50, 100].map((framesPerSecond) =>
    genicamCase({
      sensor: `genicam Mono8 1280x1024 at ${framesPerSecond}`,
      peer: "Aravis' fake camera, veth pair",
      framesPerSecond,
      whyNot: whyNoFakeGigeCamera,
      cameraAt: (cable) => fakeGigeCamera(cable),
      driverOf: (camera, trigger) =>
        genicam({ ...FREE, camera, trigger, pixelFormat: 'Mono8', region: regionOf(1280, 1024) }),
    }),
  ),
  genicamCase({
    sensor: 'genicam3d Coord3D_ABC32f 640x480',
    peer: 'own fake on libaravis, veth pair',
    framesPerSecond: 25,
    whyNot: whyNoFake3dCamera,
    cameraAt: (cable, folder) => fake3dCamera(cable, buildFake3dCamera(folder)),
    driverOf: (camera, trigger) =>
      genicam3d({ ...FREE, camera, trigger, pixelFormat: 'Coord3D_ABC32f', region: regionOf(640, 480) }),
  }),
]

interface GenicamCase extends Pick<SensorBenchCase, 'sensor' | 'peer' | 'framesPerSecond'> {
  whyNot(): string | false
  /** @param folder for what has to be built */
  cameraAt(cable: CameraCable, folder: string): GigeCamera
  driverOf(camera: string, trigger: Extract<GenicamTrigger, { kind: 'free-run' }>): OpenCase['driver']
}

function genicamCase({ whyNot, cameraAt, driverOf, ...about }: GenicamCase): SensorBenchCase {
  const { framesPerSecond } = about
  return {
    ...about,
    exposure: EXPOSURE,
    asks: false,
    async open() {
      const why = whyNoCameraCable() || whyNot()
      if (why) throw new Error(why)
      const folder = await mkdtemp(path.join(tmpdir(), 'radar-edge-bench-'))
      const cable = layCameraCable()
      let camera: GigeCamera | undefined
      const close = async (): Promise<void> => {
        await camera?.kill()
        cable.remove()
        await rm(folder, { recursive: true })
      }
      try {
        camera = cameraAt(cable, folder)
        await camera.start()
      } catch (error) {
        await close()
        throw error
      }
      return {
        driver: driverOf(cable.cameraAddress, { kind: 'free-run', framesPerSecond }),
        latencyOf: () => sinceMultipleOf(1000 / framesPerSecond),
        close,
      }
    },
  }
}

const regionOf = (widthPixels: number, heightPixels: number) => ({
  leftPixels: 0,
  topPixels: 0,
  widthPixels,
  heightPixels,
})

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
