import fc from 'fast-check'
import t from 'tap'
import { CATEGORIES, CATEGORY_NAMES } from '../../../drivers/synthetic/catalogue.ts'
import { VISIBLE_IN } from '../../../drivers/synthetic/defect.ts'
import {
  photograph,
  renderPart,
  scan,
  stagePart,
  type StagedPart,
} from '../../../drivers/synthetic/render.ts'

const side = 64

/** `t.same` takes seconds over a frame. */
const same = (a: Uint8Array | Float32Array, b: Uint8Array | Float32Array): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index])

/** Part pixels of a view. */
const partArea = ({ view, relief }: StagedPart): number => {
  let area = 0
  for (const [index, row] of view.row.entries()) {
    area += relief.part[Math.round(row) * relief.columns + Math.round(view.column[index]!)]!
  }
  return area
}

/** Grows a mask by `reach` pixels in all eight directions. */
function dilate(mask: Uint8Array, width: number, reach: number): Uint8Array {
  const grown = new Uint8Array(mask.length)
  const height = mask.length / width
  for (const [index, value] of mask.entries()) {
    if (value === 0) continue
    const row = Math.floor(index / width)
    const column = index % width
    for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
      grown.fill(
        1,
        y * width + Math.max(0, column - reach),
        y * width + Math.min(width - 1, column + reach) + 1,
      )
    }
  }
  return grown
}

t.test('a part is the same bytes every time, and another part for another seed', async (t) => {
  for (const category of CATEGORY_NAMES) {
    const options = { category, width: 40, height: 40, seed: 11 } as const
    const first = renderPart(options)
    const again = renderPart(options)
    t.ok(same(again.rgb, first.rgb) && same(again.pointsMetres, first.pointsMetres), category)
    const other = renderPart({ ...options, seed: 12 })
    t.notOk(same(other.rgb, first.rgb) || same(other.pointsMetres, first.pointsMetres), category)
  }
})

t.test('any size gives well-formed frames', async () => {
  const sizes = fc.record({
    category: fc.constantFrom(...CATEGORY_NAMES),
    width: fc.integer({ min: 8, max: 97 }),
    height: fc.integer({ min: 8, max: 97 }),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  })
  fc.assert(
    fc.property(sizes, (options) => {
      const { rgb, pointsMetres, mask, label } = renderPart(options)
      const pixels = options.width * options.height
      if (label !== 'good' || mask.some((value) => value !== 0)) return false
      if (rgb.length !== pixels * 3 || pointsMetres.length !== pixels * 3 || mask.length !== pixels)
        return false
      for (let index = 0; index < pixels; index++) {
        const [x, y, z] = pointsMetres.subarray(index * 3, index * 3 + 3) as unknown as [
          number,
          number,
          number,
        ]
        if (z === 0 ? x !== 0 || y !== 0 : !(z > 0.2 && z < 0.7 && Math.hypot(x, y) < 1)) return false
      }
      return true
    }),
    { numRuns: 25, verbose: true },
  )
})

t.test('a part looks the same at every size', async (t) => {
  for (const category of CATEGORY_NAMES) {
    const small = stagePart({ category, width: 50, height: 50, seed: 5 })
    const large = stagePart({ category, width: 100, height: 100, seed: 5 })
    const apart = Math.abs(partArea(small) / 50 ** 2 - partArea(large) / 100 ** 2)
    t.ok(apart < 0.03, `${category}: part's share of the picture differs by ${apart.toFixed(3)}`)
    const mean = (part: StagedPart): number => {
      const pixels = photograph(part)
      return pixels.reduce((sum, value) => sum + value, 0) / pixels.length
    }
    const brighter = mean(large) - mean(small)
    t.ok(Math.abs(brighter) < 8, `${category}: brightness differs by ${brighter.toFixed(1)}`)
  }
})

t.test('the true points lie on their pixels’ rays and on the part', async (t) => {
  const part = stagePart({ category: 'toy-brick', width: 97, height: 61, seed: 3 })
  const points = scan(part)
  const { camera } = part.scene
  let [worst, lowest, highest] = [0, 1, -1]
  for (let index = 0; index < 97 * 61; index++) {
    const [x = 0, y = 0, z = 0] = points.subarray(index * 3, index * 3 + 3)
    const u = (x / z) * camera.focalPixels + 97 / 2 - 0.5
    const v = (y / z) * camera.focalPixels + 61 / 2 - 0.5
    worst = Math.max(worst, Math.abs(u - (index % 97)), Math.abs(v - Math.floor(index / 97)))
    // Distance to the station plane: an oracle that the ray march did not use.
    const above = x * camera.normal[0] + y * camera.normal[1] + (z - camera.distanceMetres) * camera.normal[2]
    lowest = Math.min(lowest, above)
    highest = Math.max(highest, above)
  }
  // The mat lies within half a millimetre of the plane; a stud's top is 23.7 mm above it.
  t.ok(lowest > -0.0005 && highest > 0.022 && highest < 0.025, `${lowest} to ${highest} m above the plane`)
  t.ok(worst < 0.01, `off its ray by ${worst} pixels`)
})

t.test('noise leaves most of a part and some of the mat, and never moves a point far', async (t) => {
  for (const category of CATEGORY_NAMES) {
    const part = stagePart({ category, width: 160, height: 160, seed: 9 })
    const truth = scan(part)
    const measured = scan(part, 1)
    const missing = { part: 0, mat: 0 }
    const area = { part: 0, mat: 0 }
    let squares = 0
    for (let index = 0; index < 160 * 160; index++) {
      const texel =
        Math.round(part.view.row[index]!) * part.relief.columns + Math.round(part.view.column[index]!)
      const where = part.relief.part[texel] === 1 ? 'part' : 'mat'
      area[where]++
      if (measured[index * 3 + 2] === 0) missing[where]++
      else squares += (measured[index * 3 + 2]! - truth[index * 3 + 2]!) ** 2
    }
    const lost = { part: missing.part / area.part, mat: missing.mat / area.mat }
    t.ok(
      lost.part > 0.005 && lost.part < 0.2,
      `${category}: ${(100 * lost.part).toFixed(1)} % of the part missing`,
    )
    t.ok(lost.mat > 0.1 && lost.mat < 0.6, `${category}: ${(100 * lost.mat).toFixed(1)} % of the mat missing`)
    const sigma = Math.sqrt(squares / (160 * 160 - missing.part - missing.mat))
    t.ok(sigma > 0.00001 && sigma < 0.0003, `${category}: ${(1e6 * sigma).toFixed(0)} um of noise`)
  }
})

t.test('every defect of every category can be seen, and is no more than a part of the part', async (t) => {
  for (const category of CATEGORY_NAMES) {
    for (const defect of CATEGORIES[category].defects) {
      for (const seed of [1, 2]) {
        const part = stagePart({ category, width: side, height: side, seed, defect })
        const share = part.mask.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0) / partArea(part)
        t.ok(
          share > 0.002 && share < 0.4,
          `${category}/${defect}/${seed}: ${(100 * share).toFixed(2)} % of the part`,
        )
        t.equal(part.label, defect)
      }
    }
  }
})

t.test('a defect shows in its own modality and not in the other', async (t) => {
  for (const category of CATEGORY_NAMES) {
    const options = { category, width: side, height: side, seed: 4 } as const
    const good = stagePart(options)
    for (const defect of CATEGORIES[category].defects) {
      const bad = stagePart({ ...options, defect })
      const colours = ['red', 'green', 'blue'] as const
      const isColoured = colours.some((channel) => !same(good.relief[channel], bad.relief[channel]))
      const isShaped = !same(scan(good), scan(bad))
      const seen = VISIBLE_IN[defect]
      t.equal(isColoured, seen !== 'xyz', `${category}/${defect}: colour`)
      t.equal(isShaped, seen !== 'rgb', `${category}/${defect}: shape`)
    }
  }
})

t.test('away from its defect a bad part is the good part', async (t) => {
  for (const category of CATEGORY_NAMES) {
    const options = { category, width: side, height: side, seed: 6 } as const
    const good = photograph(stagePart(options))
    for (const defect of CATEGORIES[category].defects) {
      const part = stagePart({ ...options, defect })
      const bad = photograph(part)
      const near = dilate(part.mask, side, 6)
      let changed = 0
      for (const [index, value] of near.entries()) {
        if (value === 1) continue
        for (let channel = 0; channel < 3; channel++) {
          // A bent part throws another shadow, so a few far pixels may change.
          if (Math.abs(good[index * 3 + channel]! - bad[index * 3 + channel]!) > 12) changed++
        }
      }
      t.ok(changed < 0.01 * near.length * 3, `${category}/${defect}: ${changed} far samples differ`)
    }
  }
})
