/**
 * What a lamp that ages does to a picture: it yellows, dims and, where the scene is known, shines from another side. The 3D sensor brings
 * its own light and sees no difference.
 */
import type { RgbFrame } from '../../drivers/frame.ts'
import { cameraOverPlane, type Vector } from '../../drivers/synthetic/camera.ts'
import type { Lighting } from '../../drivers/synthetic/light.ts'
import { shadeRelief } from '../../drivers/synthetic/light.ts'
import { photograph, type StagedPart } from '../../drivers/synthetic/render.ts'

/** What is left of red, green and blue light at full age. */
const LEFT = [0.5, 0.4, 0.26] as const
/** What is left of the key lamp beside the other lights at full age. */
const KEY_LEFT = 0.5
/** How far the key lamp has turned about the vertical at full age, radians: it was replaced, or somebody leaned on it. */
const KEY_TURN = 0.45

/** A recorded picture as an older lamp would have shown it. @param age 0 is as it was recorded, 1 full age. */
export function agedPicture(frame: RgbFrame, age: number): RgbFrame {
  const tables = LEFT.map((left) =>
    Uint8Array.from({ length: 256 }, (_, level) => levelOf(dimmed(left, age) * lightOf(level))),
  )
  return { ...frame, pixels: frame.pixels.map((level, at) => tables[at % 3]![level]!) }
}

/** A synthetic part under an older lamp. @param age as above. */
export function photographAged(part: StagedPart, age: number, noiseSeed: number): Uint8Array {
  const { scene, relief } = part
  const lighting: Lighting = {
    ...scene.lighting,
    lamps: scene.lighting.lamps.map(({ direction, intensity }, lamp) =>
      lamp === 0
        ? { direction: turned(direction, age * KEY_TURN), intensity: intensity * dimmed(KEY_LEFT, age) }
        : { direction, intensity },
    ),
  }
  const [red, green, blue] = scene.whiteBalance
  const whiteBalance = [
    red * dimmed(LEFT[0], age),
    green * dimmed(LEFT[1], age),
    blue * dimmed(LEFT[2], age),
  ] as const
  const radiance = shadeRelief(relief, lighting, cameraOverPlane(scene.camera))
  return photograph({ ...part, radiance, scene: { ...scene, lighting, whiteBalance } }, noiseSeed)
}

const dimmed = (left: number, age: number): number => 1 - age * (1 - left)

function turned([x, y, z]: Vector, radians: number): Vector {
  const cos = Math.cos(radians)
  const sin = Math.sin(radians)
  return [x * cos - y * sin, x * sin + y * cos, z]
}

/** sRGB to linear light, 0..1. */
function lightOf(level: number): number {
  const share = level / 255
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
}

function levelOf(light: number): number {
  return Math.round(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055))
}
