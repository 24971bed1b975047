/** A pinhole camera above the station plane, and what each of its pixels hits. */
import type { Relief } from './relief.ts'

export type Vector = readonly [x: number, y: number, z: number]

export interface Camera {
  readonly width: number
  readonly height: number
  readonly focalPixels: number
  /** Along the optical axis, from the camera to the station plane. */
  readonly distanceMetres: number
  /** The station plane's two axes and its normal (towards the camera), in the camera's frame. */
  readonly across: Vector
  readonly down: Vector
  readonly normal: Vector
}

/** What each pixel sees: where on the relief, and how far away along the optical axis. No noise. */
export interface View {
  readonly width: number
  readonly height: number
  /** Texel coordinates of the hit, fractional. */
  readonly column: Float32Array
  readonly row: Float32Array
  readonly depthMetres: Float32Array
}

/** The camera looks down with the plane tilted about the picture's two axes, radians. */
export function createCamera(options: {
  width: number
  height: number
  distanceMetres: number
  /** Width of the plane that the shorter side of the picture shows. */
  fieldMetres: number
  tiltAcross: number
  tiltDown: number
}): Camera {
  const { width, height, distanceMetres, fieldMetres } = options
  const across: Vector = [Math.cos(options.tiltAcross), 0, Math.sin(options.tiltAcross)]
  const bent = Math.sin(options.tiltDown)
  const down: Vector = [-bent * across[2], Math.cos(options.tiltDown), bent * across[0]]
  const normal: Vector = [
    across[2] * down[1],
    across[0] * down[2] - across[2] * down[0],
    -across[0] * down[1],
  ]
  const focalPixels = (Math.min(width, height) * distanceMetres) / fieldMetres
  return { width, height, focalPixels, distanceMetres, across, down, normal }
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

/** The camera's own place in the plane's coordinates: across, down, above. Metres. */
export function cameraOverPlane(camera: Camera): Vector {
  const toCamera: Vector = [0, 0, -camera.distanceMetres]
  return [dot(toCamera, camera.across), dot(toCamera, camera.down), dot(toCamera, camera.normal)]
}

/** Intersects every pixel's ray with the relief: from above downwards, in steps of a texel. */
export function viewRelief(relief: Relief, camera: Camera): View {
  const { columns, rows, texelMetres, heightMetres } = relief
  const { width, height, focalPixels } = camera
  const [originAcross, originDown, originAbove] = cameraOverPlane(camera)
  const [ax, ay, az] = camera.across
  const [bx, by, bz] = camera.down
  const [nx, ny, nz] = camera.normal
  const ceiling = highestAround(relief)
  const column = new Float32Array(width * height)
  const row = new Float32Array(width * height)
  const depthMetres = new Float32Array(width * height)
  const lastColumn = columns - 1
  const lastRow = rows - 1
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const rayX = (u + 0.5 - width / 2) / focalPixels
      const rayY = (v + 0.5 - height / 2) / focalPixels
      const fall = rayX * nx + rayY * ny + nz
      // Texels travelled across and down per metre that the ray falls.
      const columnSlope = (rayX * ax + rayY * ay + az) / fall / texelMetres
      const rowSlope = (rayX * bx + rayY * by + bz) / fall / texelMetres
      const groundColumn = originAcross / texelMetres - originAbove * columnSlope + lastColumn / 2
      const groundRow = originDown / texelMetres - originAbove * rowSlope + lastRow / 2
      const top = ceiling.at(groundColumn, groundRow)
      const steps = Math.max(1, Math.ceil(top * Math.max(Math.abs(columnSlope), Math.abs(rowSlope))))
      const drop = top / steps
      let level = top
      let aboveBefore = 0
      let hit = 0
      for (let step = 0; step <= steps; step++, level -= drop) {
        const c = clampIndex(groundColumn + level * columnSlope, lastColumn)
        const r = clampIndex(groundRow + level * rowSlope, lastRow)
        const above = level - bilinear(heightMetres, columns, c, r)
        if (above <= 0) {
          hit = step === 0 ? level : level + drop * (above / (above - aboveBefore))
          break
        }
        aboveBefore = above
      }
      const index = v * width + u
      column[index] = clampIndex(groundColumn + hit * columnSlope, lastColumn)
      row[index] = clampIndex(groundRow + hit * rowSlope, lastRow)
      depthMetres[index] = (hit - originAbove) / fall
    }
  }
  return { width, height, column, row, depthMetres }
}

/** Keeps a fractional index where its right neighbour exists. */
const clampIndex = (value: number, last: number): number =>
  value < 0 ? 0 : value > last - 0.001 ? last - 0.001 : value

export function bilinear(map: Float32Array, columns: number, column: number, row: number): number {
  const left = column | 0
  const top = row | 0
  const u = column - left
  const index = top * columns + left
  const upper = map[index]! + (map[index + 1]! - map[index]!) * u
  const lower = map[index + columns]! + (map[index + columns + 1]! - map[index + columns]!) * u
  return upper + (lower - upper) * (row - top)
}

/** The greatest height near a texel: a ray that starts there cannot have missed anything. Coarse, so that flat ground costs nothing. */
function highestAround(relief: Relief): { at(column: number, row: number): number } {
  const { columns, rows, heightMetres } = relief
  const tile = 32
  const across = Math.ceil(columns / tile)
  const down = Math.ceil(rows / tile)
  const tiles = new Float32Array(across * down)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const index = ((row / tile) | 0) * across + ((column / tile) | 0)
      const height = heightMetres[row * columns + column]!
      if (height > tiles[index]!) tiles[index] = height
    }
  }
  const grown = new Float32Array(across * down)
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      let highest = 0
      for (let y = Math.max(0, row - 1); y <= Math.min(down - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(across - 1, column + 1); x++) {
          highest = Math.max(highest, tiles[y * across + x]!)
        }
      }
      grown[row * across + column] = highest + 1e-5
    }
  }
  return {
    at(column, row) {
      const x = Math.min(across - 1, Math.max(0, (column / tile) | 0))
      const y = Math.min(down - 1, Math.max(0, (row / tile) | 0))
      return grown[y * across + x]!
    },
  }
}
