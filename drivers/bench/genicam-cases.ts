/** GigE Vision cameras for `bench sensors`: fake ones over a real network, in a namespace of their own. Needs root. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monotonicClock } from '../clock.ts'
import { genicam } from '../genicam.ts'
import type { GenicamTrigger } from '../genicam-camera.ts'
import { genicam3d } from '../genicam3d.ts'
import { bareLoop, type BareLoopOptions } from './bare-loop.ts'
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

const PACKET_BYTES = 8228
const FREE = { name: 'bench', packetBytes: PACKET_BYTES, pathMs: 0, clock: monotonicClock } as const
const FAKE: FakeCamera = {
  peer: "Aravis' fake camera, veth pair",
  whyNot: whyNoFakeGigeCamera,
  cameraAt: (cable) => fakeGigeCamera(cable),
}
const FAKE_3D: FakeCamera = {
  peer: 'own fake on libaravis, veth pair',
  whyNot: whyNoFake3dCamera,
  cameraAt: (cable, folder) => fake3dCamera(cable, buildFake3dCamera(folder)),
}

/** The bare loop's rows stand beside those that they are measured against. */
export const genicamCases: readonly SensorBenchCase[] = [
  ...[25, 50, 100].map((framesPerSecond) =>
    genicamCase({
      ...FAKE,
      sensor: `genicam Mono8 1280x1024 at ${framesPerSecond}`,
      framesPerSecond,
      driverOf: (camera, trigger) =>
        genicam({ ...FREE, camera, trigger, pixelFormat: 'Mono8', region: regionOf(1280, 1024) }),
    }),
  ),
  bareCase({ ...FAKE, pixelFormat: 'Mono8', width: 1280, height: 1024 }),
  genicamCase({
    ...FAKE_3D,
    sensor: 'genicam3d Coord3D_ABC32f 640x480',
    framesPerSecond: 25,
    driverOf: (camera, trigger) =>
      genicam3d({ ...FREE, camera, trigger, pixelFormat: 'Coord3D_ABC32f', region: regionOf(640, 480) }),
  }),
  bareCase({ ...FAKE_3D, pixelFormat: 'Coord3D_ABC32f', width: 640, height: 480 }),
]

function bareCase({
  pixelFormat,
  width,
  height,
  ...fake
}: FakeCamera & Pick<BareLoopOptions, 'pixelFormat' | 'width' | 'height'>): SensorBenchCase {
  return genicamCase({
    ...fake,
    sensor: `bare loop on genicam ${pixelFormat} ${width}x${height}, not converted`,
    framesPerSecond: 25,
    driverOf: (camera, { framesPerSecond = 25 }) =>
      bareLoop({ camera, pixelFormat, width, height, framesPerSecond, packetBytes: PACKET_BYTES }),
  })
}

interface FakeCamera extends Pick<SensorBenchCase, 'peer'> {
  whyNot(): string | false
  /** @param folder for what has to be built */
  cameraAt(cable: CameraCable, folder: string): GigeCamera
}

interface GenicamCase extends FakeCamera, Pick<SensorBenchCase, 'sensor' | 'framesPerSecond'> {
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
