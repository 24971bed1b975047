/**
 * The scene seen straight from above, before any light or camera: one texel per spot of the station plane, about as large
 * as a camera pixel. Categories paint it, defects damage it, light shades it, the camera looks at it.
 */
import type { Surfel } from './surfel.ts'

export interface Relief {
  readonly columns: number
  readonly rows: number
  readonly texelMetres: number
  readonly heightMetres: Float32Array
  readonly detailMetres: Float32Array
  readonly red: Float32Array
  readonly green: Float32Array
  readonly blue: Float32Array
  readonly roughness: Float32Array
  readonly metalness: Float32Array
  /** 1 where the part is, 0 where the station's mat shows. */
  readonly part: Uint8Array
}

export function createRelief(columns: number, rows: number, texelMetres: number): Relief {
  const map = (): Float32Array => new Float32Array(columns * rows)
  return {
    columns,
    rows,
    texelMetres,
    heightMetres: map(),
    detailMetres: map(),
    red: map(),
    green: map(),
    blue: map(),
    roughness: map(),
    metalness: map(),
    part: new Uint8Array(columns * rows),
  }
}

export function copyRelief(relief: Relief): Relief {
  return {
    ...relief,
    heightMetres: relief.heightMetres.slice(),
    detailMetres: relief.detailMetres.slice(),
    red: relief.red.slice(),
    green: relief.green.slice(),
    blue: relief.blue.slice(),
    roughness: relief.roughness.slice(),
    metalness: relief.metalness.slice(),
    part: relief.part.slice(),
  }
}

export function writeTexel(relief: Relief, index: number, surfel: Surfel): void {
  relief.heightMetres[index] = surfel.heightMetres
  relief.detailMetres[index] = surfel.detailMetres
  relief.red[index] = surfel.red
  relief.green[index] = surfel.green
  relief.blue[index] = surfel.blue
  relief.roughness[index] = surfel.roughness
  relief.metalness[index] = surfel.metalness
}
