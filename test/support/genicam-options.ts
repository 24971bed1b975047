/** Cameras at the end of a cable, for the tests of GenICam drivers. */
import type { Test } from 'tap'
import { layCameraCable } from '../../drivers/bench/camera-cable.ts'
import type { GenicamOptions } from '../../drivers/genicam.ts'
import type { Genicam3dOptions } from '../../drivers/genicam3d.ts'

export const at = (widthPixels: number, heightPixels: number) => ({
  leftPixels: 0,
  topPixels: 0,
  widthPixels,
  heightPixels,
})

/** Many packets a frame, so that a few that are lost matter. */
export const picture = {
  name: 'top',
  trigger: { kind: 'free-run', framesPerSecond: 25 },
  region: at(640, 480),
  pixelFormat: 'Mono8',
  packetBytes: 1500,
  // The fake camera stamps its frames when it sends them.
  pathMs: 0,
} satisfies GenicamOptions

export const depth = {
  name: 'depth',
  trigger: { kind: 'free-run', framesPerSecond: 25 },
  region: at(320, 240),
  pixelFormat: 'Coord3D_ABC32f',
  packetBytes: 8228,
  pathMs: 0,
} satisfies Genicam3dOptions

/** Removed when the test ends. */
export function cableFor(t: Test, options: Parameters<typeof layCameraCable>[0] = {}) {
  const cable = layCameraCable(options)
  t.teardown(() => cable.remove())
  return cable
}
