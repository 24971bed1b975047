/**
 * Light on the relief: a dome, a ring around the lens and directional lamps with shadows. GGX highlights (Walter et al.
 * 2007) with Schlick's Fresnel term; occlusion from how far a texel lies below its blurred surroundings.
 */
import type { Vector } from './camera.ts'
import type { Relief } from './relief.ts'
import { smoothstep } from './shapes.ts'

export interface Lamp {
  /** Unit vector from the plane to the lamp: across, down, above. */
  readonly direction: Vector
  readonly intensity: number
}

export interface Lighting {
  readonly lamps: readonly Lamp[]
  readonly domeIntensity: number
}

/** Light that leaves each texel towards the camera, linear; 1 is white paper under the station's nominal light. */
export interface Radiance {
  readonly red: Float32Array
  readonly green: Float32Array
  readonly blue: Float32Array
  /** The highlights' share, grey. */
  readonly gloss: Float32Array
  /** Cosine between the surface's normal and the direction to the camera. */
  readonly facing: Float32Array
}

/** @param eye the camera's place over the plane, as `cameraOverPlane` gives it. */
export function shadeRelief(relief: Relief, lighting: Lighting, eye: Vector): Radiance {
  const { columns, rows, texelMetres, heightMetres, detailMetres, roughness, metalness } = relief
  const size = columns * rows
  const radiance: Radiance = {
    red: new Float32Array(size),
    green: new Float32Array(size),
    blue: new Float32Array(size),
    gloss: new Float32Array(size),
    facing: new Float32Array(size),
  }
  const open = skyShare(relief)
  const lit = lighting.lamps.map((lamp) => castShadow(relief, lamp.direction, 0.0016))
  const lamps = Float64Array.from(lighting.lamps.flatMap((lamp) => [...lamp.direction, lamp.intensity]))
  const surface = new Float32Array(size)
  for (let index = 0; index < size; index++) surface[index] = heightMetres[index]! + detailMetres[index]!
  const perTexel = 0.5 / texelMetres
  for (let row = 0; row < rows; row++) {
    const up = row === 0 ? 0 : -columns
    const down = row === rows - 1 ? 0 : columns
    for (let column = 0; column < columns; column++) {
      const index = row * columns + column
      const left = column === 0 ? 0 : -1
      const right = column === columns - 1 ? 0 : 1
      const slopeX = (surface[index + right]! - surface[index + left]!) * perTexel
      const slopeY = (surface[index + down]! - surface[index + up]!) * perTexel
      const nz = 1 / Math.sqrt(1 + slopeX * slopeX + slopeY * slopeY)
      const nx = -slopeX * nz
      const ny = -slopeY * nz

      let vx = eye[0] - (column - (columns - 1) / 2) * texelMetres
      let vy = eye[1] - (row - (rows - 1) / 2) * texelMetres
      let vz = eye[2] - heightMetres[index]!
      const toEye = 1 / Math.sqrt(vx * vx + vy * vy + vz * vz)
      vx *= toEye
      vy *= toEye
      vz *= toEye
      const facing = Math.max(nx * vx + ny * vy + nz * vz, 0.02)

      const sky = open[index]!
      const metal = metalness[index]!
      const rough = roughness[index]!
      // GGX's alpha, floored so that a highlight is never smaller than a texel can show.
      const alpha = Math.max(rough * rough, 0.02)
      const alpha2 = alpha * alpha
      const geometry = (rough + 1) * (rough + 1) * 0.125
      let diffuse = lighting.domeIntensity * sky * (0.55 + 0.45 * nz)
      let gloss = 0
      for (let lamp = 0; lamp < lit.length; lamp++) {
        const lx = lamps[lamp * 4]!
        const ly = lamps[lamp * 4 + 1]!
        const lz = lamps[lamp * 4 + 2]!
        const incidence = nx * lx + ny * ly + nz * lz
        if (incidence <= 0) continue
        const power = lamps[lamp * 4 + 3]! * incidence * lit[lamp]![index]!
        diffuse += power
        let hx = vx + lx
        let hy = vy + ly
        let hz = vz + lz
        const half = 1 / Math.sqrt(hx * hx + hy * hy + hz * hz)
        hx *= half
        hy *= half
        hz *= half
        const nh = nx * hx + ny * hy + nz * hz
        const spread = nh * nh * (alpha2 - 1) + 1
        const shadowing = (facing * (1 - geometry) + geometry) * (incidence * (1 - geometry) + geometry)
        // Capped: a lamp has a size, so its mirror image is no brighter than the lamp.
        gloss += power * Math.min(alpha2 / (4 * spread * spread * shadowing), 5)
      }
      const mirrored =
        mirrorOfRoom(2 * facing * nz - vz, rough) * lighting.domeIntensity * (0.35 + 0.65 * sky)
      const away = 1 - facing
      const grazing = away * away * away * away * away
      const dielectric = 0.04 + 0.96 * grazing * (1 - rough)
      const body = diffuse * (1 - metal)
      const coat = (gloss + mirrored) * dielectric * (1 - metal)
      const shine = (gloss + mirrored) * metal
      radiance.red[index] = relief.red[index]! * (body + shine) + coat
      radiance.green[index] = relief.green[index]! * (body + shine) + coat
      radiance.blue[index] = relief.blue[index]! * (body + shine) + coat
      radiance.gloss[index] = gloss * (metal + (1 - metal) * dielectric)
      radiance.facing[index] = facing
    }
  }
  return radiance
}

/**
 * Brightness of the room in the mirror direction: a bright ring lamp around the lens, a pale dome, dark walls low down.
 * @param upward cosine of the mirror direction to the plane's normal.
 */
function mirrorOfRoom(upward: number, rough: number): number {
  const blurred = 0.55 + 0.55 * Math.max(upward, 0)
  if (rough > 0.72) return blurred
  const polished =
    0.35 +
    0.9 * smoothstep(0.15, 0.75, upward) +
    0.5 * smoothstep(0.78, 0.86, upward) * smoothstep(1, 0.93, upward)
  return polished + (blurred - polished) * Math.min(1, rough * 1.4)
}

/**
 * Which texels a far lamp reaches, 0..1. Sweeps away from the lamp and carries the height of the shadow's edge, so the
 * cost does not depend on the shadows' length.
 * @param softnessMetres depth below the edge at which the shadow is full.
 */
export function castShadow(relief: Relief, towards: Vector, softnessMetres: number): Float32Array {
  const { columns, rows, texelMetres, heightMetres } = relief
  const [tx, ty, tz] = towards
  const lit = new Float32Array(columns * rows).fill(1)
  const edge = new Float32Array(columns * rows)
  const alongColumns = Math.abs(tx) >= Math.abs(ty)
  const [major, minor] = alongColumns ? [tx, ty] : [ty, tx]
  if (Math.abs(major) < 1e-6) return lit
  const majorCount = alongColumns ? columns : rows
  const minorCount = alongColumns ? rows : columns
  const majorStride = alongColumns ? 1 : columns
  const minorStride = alongColumns ? columns : 1
  const step = Math.sign(major)
  const drift = minor / Math.abs(major)
  const rise = (tz / Math.abs(major)) * texelMetres
  for (let done = 0; done < majorCount; done++) {
    const position = step > 0 ? majorCount - 1 - done : done
    for (let other = 0; other < minorCount; other++) {
      const index = position * majorStride + other * minorStride
      const height = heightMetres[index]!
      if (done === 0) {
        edge[index] = height
        continue
      }
      const from = Math.min(Math.max(other + drift, 0), minorCount - 1.001)
      const near = from | 0
      const before = (position + step) * majorStride + near * minorStride
      const carried = edge[before]! + (edge[before + minorStride]! - edge[before]!) * (from - near) - rise
      edge[index] = Math.max(height, carried)
      if (carried > height) lit[index] = 1 - smoothstep(0, softnessMetres, carried - height)
    }
  }
  return lit
}

/** Share of the dome that a texel sees, 0..1: the lower it lies against its near and far surroundings, the less. */
function skyShare(relief: Relief): Float32Array {
  const { columns, rows, texelMetres, heightMetres } = relief
  const near = boxBlur(heightMetres, { columns, rows, radius: Math.max(1, Math.round(0.0018 / texelMetres)) })
  const far = boxBlur(heightMetres, { columns, rows, radius: Math.max(1, Math.round(0.008 / texelMetres)) })
  const open = new Float32Array(columns * rows)
  for (let index = 0; index < open.length; index++) {
    const height = heightMetres[index]!
    const hidden = Math.max(near[index]! - height, 0) / 0.004 + Math.max(far[index]! - height, 0) / 0.016
    open[index] = 1 / (1 + 1.3 * hidden)
  }
  return open
}

/** Two passes of a running mean, rows then columns; edges repeat. */
export function boxBlur(
  source: Float32Array,
  shape: { columns: number; rows: number; radius: number },
): Float32Array {
  const { columns, rows } = shape
  const once = new Float32Array(source.length)
  const twice = new Float32Array(source.length)
  const pass = (
    from: Float32Array,
    to: Float32Array,
    line: { count: number; stride: number; first: number },
  ): void => {
    const radius = Math.min(shape.radius, line.count - 1)
    const at = (position: number): number =>
      from[line.first + Math.min(Math.max(position, 0), line.count - 1) * line.stride]!
    let sum = 0
    for (let position = -radius; position <= radius; position++) sum += at(position)
    for (let position = 0; position < line.count; position++) {
      to[line.first + position * line.stride] = sum / (2 * radius + 1)
      sum += at(position + radius + 1) - at(position - radius)
    }
  }
  for (let row = 0; row < rows; row++) pass(source, once, { count: columns, stride: 1, first: row * columns })
  for (let column = 0; column < columns; column++)
    pass(once, twice, { count: rows, stride: columns, first: column })
  return twice
}
