/**
 * The 3D sensor: a structured-light scanner whose projector stands to one side. Depth noise grows with distance and at
 * grazing angles; returns go missing at depth edges, in the projector's shadow, on gloss, on black and at random.
 */
import type { Camera, View } from './camera.ts'
import { nearlyNormal } from './expose.ts'
import type { Radiance } from './light.ts'
import { valueNoise } from './noise.ts'
import { hash32 } from '../random.ts'
import type { Relief } from './relief.ts'
import { smoothstep } from './shapes.ts'

export interface DepthSensor {
  /** 1 where the projector's light arrives: `castShadow` towards it. Texels of the relief. */
  readonly projected: Float32Array
  /** Noise of one exposure; absent for noiseless, complete points. */
  readonly noiseSeed?: number
  /** Share of the mat that gives no return. */
  readonly matLoss: number
}

/** Fits `luckTable` to the mixture that `returns` draws. */
const SPREAD = 0.552

/** One sigma at half a metre, head on. */
const DEPTH_NOISE_METRES = 0.00006

/** Points in metres, camera frame, as XyzFrame wants them. */
export function measurePoints(
  scene: { view: View; relief: Relief; radiance: Radiance; camera: Camera },
  sensor: DepthSensor,
): Float32Array {
  const { view, camera } = scene
  const { width, height, depthMetres } = view
  const points = new Float32Array(width * height * 3)
  const survives = sensor.noiseSeed === undefined ? undefined : returns(scene, sensor, sensor.noiseSeed)
  const noiseKey = hash32((sensor.noiseSeed ?? 0) + 0x5eed)
  for (let v = 0, index = 0; v < height; v++) {
    for (let u = 0; u < width; u++, index++) {
      let depth = depthMetres[index]!
      if (survives !== undefined) {
        const sigma = survives[index]!
        if (sigma === 0) continue
        depth += sigma * nearlyNormal(hash32(index + noiseKey))
      }
      points[index * 3] = ((u + 0.5 - width / 2) / camera.focalPixels) * depth
      points[index * 3 + 1] = ((v + 0.5 - height / 2) / camera.focalPixels) * depth
      points[index * 3 + 2] = depth
    }
  }
  return points
}

/** The depth noise of each pixel, one sigma in metres; 0 where nothing comes back. */
function returns(
  scene: { view: View; relief: Relief; radiance: Radiance },
  sensor: DepthSensor,
  noiseSeed: number,
): Float32Array {
  const { view, relief, radiance } = scene
  const { width, height, depthMetres } = view
  const sigma = new Float32Array(width * height)
  const whiteKey = hash32(noiseSeed + 0xd20b)
  // Losses come in clumps, not as pepper: a fringe period or a code word fails as a whole.
  const clump = valueNoise(noiseSeed + 1)
  const patch = valueNoise(noiseSeed + 2)
  const pixelMetres = relief.texelMetres
  const edge = luckTable()
  for (let v = 0, index = 0; v < height; v++) {
    for (let u = 0; u < width; u++, index++) {
      const texel = Math.round(view.row[index]!) * relief.columns + Math.round(view.column[index]!)
      const depth = depthMetres[index]!
      const facing = radiance.facing[texel]!
      const onPart = relief.part[texel] === 1
      let jump = 0
      if (u > 0) jump = Math.abs(depth - depthMetres[index - 1]!)
      if (u < width - 1) jump = Math.max(jump, Math.abs(depth - depthMetres[index + 1]!))
      if (v > 0) jump = Math.max(jump, Math.abs(depth - depthMetres[index - width]!))
      if (v < height - 1) jump = Math.max(jump, Math.abs(depth - depthMetres[index + width]!))
      const brightness = 0.3 * relief.red[texel]! + 0.6 * relief.green[texel]! + 0.1 * relief.blue[texel]!
      let loss = 0.004
      loss += 0.9 * (1 - sensor.projected[texel]!)
      loss += 0.85 * smoothstep(3 * pixelMetres, 9 * pixelMetres, jump)
      loss += 0.5 * smoothstep(1.2, 3, radiance.gloss[texel]!)
      loss += 0.35 * smoothstep(0.3, 0.12, facing)
      if (onPart) loss += 0.14 * smoothstep(0.04, 0.008, brightness)
      else loss += sensor.matLoss * smoothstep(-0.25, 0.55, patch(u * 0.045, v * 0.045)) * 2
      if (loss >= 1) continue
      const threshold = edge[(loss * 255) | 0]!
      // The white share alone often clears the threshold; the clump is then not worth its noise.
      const white = 0.38 * (hash32(index + whiteKey) / 4294967296)
      if (white < threshold && white + 0.62 * (0.5 + 0.5 * clump(u * 0.42, v * 0.42)) < threshold) continue
      const far = depth / 0.5
      sigma[index] = (DEPTH_NOISE_METRES * far * far) / Math.max(facing, 0.25)
    }
  }
  return sigma
}

/**
 * The clump-and-white mixture is bell-like, not uniform. This is its inverse distribution function (Tukey's lambda,
 * fitted), tabulated in steps of 1/255: a loss of 10 % then takes 10 % of the pixels.
 */
function luckTable(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, step) => {
    const share = step / 255
    return 0.5 + SPREAD * (share ** 0.25 - (1 - share) ** 0.25)
  })
}
