/** One part, from its seed to what both sensors report of it. */
import { cameraOverPlane, viewRelief, type View } from './camera.ts'
import { categoryNamed, type CategoryName } from './catalogue.ts'
import type { Category, Flaw } from './category.ts'
import { damage } from './damage.ts'
import type { DefectKind } from './defect.ts'
import { exposePicture } from './expose.ts'
import { castShadow, shadeRelief, type Radiance } from './light.ts'
import { makeMat } from './mat.ts'
import { measurePoints } from './measure.ts'
import { hash32, randomFrom } from '../random.ts'
import { copyRelief, createRelief, writeTexel, type Relief } from './relief.ts'
import { arrangeScene, type Scene } from './scene.ts'
import { createSurfel } from './surfel.ts'

export interface PartOptions {
  readonly category: CategoryName
  readonly width: number
  readonly height: number
  readonly seed: number
  /** The same seed with and without a defect is the same part, before and after. */
  readonly defect?: DefectKind
}

/** A part under the sensors: everything but the noise of one exposure. */
export interface StagedPart {
  readonly scene: Scene
  readonly relief: Relief
  readonly radiance: Radiance
  readonly view: View
  readonly projected: Float32Array
  /** 8-bit, 255 where the defect changed colour or height enough to be seen; `height * width`. */
  readonly mask: Uint8Array
  /** `good`, or the defect's kind. */
  readonly label: string
}

export interface RenderedPart {
  /** Interleaved 8-bit R,G,B. */
  readonly rgb: Uint8Array
  /** Camera frame, metres, (0,0,0) without a return. */
  readonly pointsMetres: Float32Array
  readonly mask: Uint8Array
  readonly label: string
}

export function renderPart(options: PartOptions): RenderedPart {
  const part = stagePart(options)
  return {
    rgb: photograph(part, options.seed),
    pointsMetres: scan(part, options.seed),
    mask: part.mask,
    label: part.label,
  }
}

export function stagePart(options: PartOptions): StagedPart {
  const category = categoryNamed(options.category)
  const scene = arrangeScene(category, options)
  const good = paintRelief(category, scene, { seed: options.seed })
  const relief =
    options.defect === undefined
      ? good
      : spoil(good, category, { scene, seed: options.seed, kind: options.defect })
  const radiance = shadeRelief(relief, scene.lighting, cameraOverPlane(scene.camera))
  const view = viewRelief(relief, scene.camera)
  return {
    scene,
    relief,
    radiance,
    view,
    projected: castShadow(relief, scene.projector, 0.0004),
    mask: maskOf(good, relief, view),
    label: options.defect ?? 'good',
  }
}

/** What the colour camera delivers. Without a noise seed: the ideal picture. */
export function photograph(part: StagedPart, noiseSeed?: number): Uint8Array {
  const { exposure, whiteBalance, vignetting, blur } = part.scene
  return exposePicture(part.view, part.relief.columns, part.radiance, {
    exposure,
    whiteBalance,
    vignetting,
    blur,
    ...(noiseSeed === undefined ? {} : { noiseSeed: hash32(noiseSeed + 0xca3e) }),
  })
}

/** What the 3D sensor delivers. Without a noise seed: the true point of every pixel. */
export function scan(part: StagedPart, noiseSeed?: number): Float32Array {
  return measurePoints(
    { view: part.view, relief: part.relief, radiance: part.radiance, camera: part.scene.camera },
    {
      projected: part.projected,
      matLoss: part.scene.matLoss,
      ...(noiseSeed === undefined ? {} : { noiseSeed: hash32(noiseSeed + 0xdeb7) }),
    },
  )
}

/** The mat with the part on it. The relief is a little larger than what the camera sees. */
function paintRelief(category: Category, scene: Scene, options: { seed: number; flaw?: Flaw }): Relief {
  const { camera, pose } = scene
  const texelMetres = camera.distanceMetres / camera.focalPixels
  const columns = Math.ceil(camera.width * 1.04) + 4
  const rows = Math.ceil(camera.height * 1.04) + 4
  const relief = createRelief(columns, rows, texelMetres)
  const mat = makeMat(category.mat, randomFrom(options.seed, 'mat'))
  const solid = category.make(randomFrom(options.seed, category.name), options.flaw)
  const surfel = createSurfel()
  const reach = category.radiusMetres * 1.02
  const cos = Math.cos(pose.turn) / pose.scale
  const sin = Math.sin(pose.turn) / pose.scale
  for (let row = 0; row < rows; row++) {
    const planeY = (row - (rows - 1) / 2) * texelMetres
    for (let column = 0; column < columns; column++) {
      const planeX = (column - (columns - 1) / 2) * texelMetres
      const index = row * columns + column
      const x = (planeX - pose.x) * cos + (planeY - pose.y) * sin
      const y = (planeY - pose.y) * cos - (planeX - pose.x) * sin
      surfel.detailMetres = 0
      surfel.roughness = 0.6
      surfel.metalness = 0
      if (x * x + y * y < reach * reach && solid(x, y, surfel)) {
        relief.part[index] = 1
        surfel.heightMetres *= pose.scale
      } else {
        mat(planeX, planeY, surfel)
      }
      writeTexel(relief, index, surfel)
    }
  }
  return relief
}

function spoil(
  good: Relief,
  category: Category,
  options: { scene: Scene; seed: number; kind: DefectKind },
): Relief {
  const { scene, seed, kind } = options
  if (kind === 'misprint' || kind === 'missing-piece')
    return paintRelief(category, scene, { seed, flaw: kind })
  const relief = copyRelief(good)
  const mat = makeMat(category.mat, randomFrom(seed, 'mat'))
  const surfel = createSurfel()
  const bare = (index: number): void => {
    const column = index % relief.columns
    const row = (index - column) / relief.columns
    mat(
      (column - (relief.columns - 1) / 2) * relief.texelMetres,
      (row - (relief.rows - 1) / 2) * relief.texelMetres,
      surfel,
    )
    writeTexel(relief, index, surfel)
    relief.part[index] = 0
  }
  damage({ relief, core: category.core, bare }, kind, randomFrom(seed, `defect ${kind}`))
  return relief
}

/** Height change that a 3D sensor with 0.1 mm of noise shows clearly. */
const SEEN_METRES = 0.0004
/** Colour change, as a share of full scale in a gamma-coded channel. */
const SEEN_COLOUR = 0.08

function maskOf(good: Relief, spoilt: Relief, view: View): Uint8Array {
  const mask = new Uint8Array(view.width * view.height)
  if (good === spoilt) return mask
  const shift = (before: Float32Array, after: Float32Array, texel: number): number =>
    Math.abs(Math.sqrt(after[texel]!) - Math.sqrt(before[texel]!))
  for (let index = 0; index < mask.length; index++) {
    const texel = Math.round(view.row[index]!) * good.columns + Math.round(view.column[index]!)
    const seen =
      Math.abs(spoilt.heightMetres[texel]! - good.heightMetres[texel]!) > SEEN_METRES ||
      shift(good.red, spoilt.red, texel) > SEEN_COLOUR ||
      shift(good.green, spoilt.green, texel) > SEEN_COLOUR ||
      shift(good.blue, spoilt.blue, texel) > SEEN_COLOUR
    if (seen) mask[index] = 255
  }
  return mask
}
