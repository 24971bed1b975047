/**
 * What differs from part to part besides the part: its pose, the camera's height, the light and the sensors. The station
 * itself (where lamps and projector stand) depends on the category alone, as it would in a plant.
 */
import { createCamera, type Camera, type Vector } from './camera.ts'
import type { Category } from './category.ts'
import type { Lighting } from './light.ts'
import { hashText, randomFrom } from '../random.ts'

export interface Pose {
  readonly x: number
  readonly y: number
  readonly turn: number
  readonly scale: number
}

export interface Scene {
  readonly camera: Camera
  readonly pose: Pose
  readonly lighting: Lighting
  /** From the plane towards the 3D sensor's projector. */
  readonly projector: Vector
  readonly exposure: number
  readonly whiteBalance: readonly [number, number, number]
  readonly vignetting: number
  readonly blur: number
  readonly matLoss: number
}

const towards = (azimuth: number, elevation: number): Vector => [
  Math.cos(azimuth) * Math.cos(elevation),
  Math.sin(azimuth) * Math.cos(elevation),
  Math.sin(elevation),
]

export function arrangeScene(
  category: Category,
  options: { width: number; height: number; seed: number },
): Scene {
  const station = randomFrom(hashText(category.name), 'station')
  const { fieldMetres } = category
  const distanceMetres = Math.max(0.34, fieldMetres * station.between(3, 3.8))
  const keyAzimuth = station.between(0, 2 * Math.PI)
  const keyElevation = station.between(0.75, 1)
  const projector = towards(station.between(0, 2 * Math.PI), Math.atan2(distanceMetres, 0.11))

  const random = randomFrom(options.seed, 'scene')
  const camera = createCamera({
    width: options.width,
    height: options.height,
    distanceMetres: distanceMetres * random.between(0.985, 1.015),
    fieldMetres,
    tiltAcross: 0.012 * random.normal(),
    tiltDown: 0.012 * random.normal(),
  })
  const turn = (category.turnDegrees * Math.PI) / 180
  const wander = 0.025 * fieldMetres
  return {
    camera,
    pose: {
      x: wander * random.between(-1, 1),
      y: wander * random.between(-1, 1),
      turn: random.between(-turn, turn),
      scale: random.between(0.98, 1.02),
    },
    lighting: {
      domeIntensity: 0.46 * random.between(0.93, 1.07),
      lamps: [
        {
          direction: towards(
            keyAzimuth + random.between(-0.1, 0.1),
            keyElevation + random.between(-0.05, 0.05),
          ),
          intensity: 0.62 * random.between(0.92, 1.08),
        },
        {
          direction: towards(keyAzimuth + 2.4 + random.between(-0.1, 0.1), 0.95),
          intensity: 0.2 * random.between(0.9, 1.1),
        },
      ],
    },
    projector,
    exposure: random.between(0.95, 1.05),
    whiteBalance: [random.between(0.98, 1.02), 1, random.between(0.98, 1.02)],
    vignetting: random.between(0.08, 0.14),
    blur: random.between(0.12, 0.3),
    matLoss: random.between(0.25, 0.5),
  }
}
