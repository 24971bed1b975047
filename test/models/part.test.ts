import fc from 'fast-check'
import t from 'tap'
import { planeFacingCamera } from '../../calibration/plane.ts'
import type { XyzFrame } from '../../drivers/frame.ts'
import { findPart } from '../../models/part.ts'
import { sceneXyz, tablePlane, type Rectangle } from '../support/scenes.ts'

const seed = 1

/** Pixels that still have a point, as a count per rectangle and in all. */
function kept(frame: XyzFrame, points: Float32Array, rectangle: Rectangle): { inside: number; all: number } {
  const [top, left, bottom, right] = rectangle
  let inside = 0
  let all = 0
  for (let pixel = 0; pixel * 3 < points.length; pixel++) {
    if (points[pixel * 3 + 2] === 0) continue
    all++
    const y = Math.floor(pixel / frame.width)
    const x = pixel % frame.width
    if (y >= top && y < bottom && x >= left && x < right) inside++
  }
  return { inside, all }
}

t.test('the part is what stands off the table, to the pixel', async (t) => {
  const at = [30, 40, 80, 90] as const
  const frame = sceneXyz({ boxes: [{ at, heightMetres: 0.02 }] })
  const before = frame.pointsMetres.slice()
  for (const plane of [undefined, tablePlane]) {
    const part = findPart(frame, { plane, seed })
    t.notOk('rejected' in part)
    if ('rejected' in part) return
    t.same(kept(frame, part.pointsMetres, at), { inside: 2500, all: 2500 })
    t.same(part.flags, [])
  }
  t.same(frame.pointsMetres, before, 'the frame is not changed')
})

t.test('of several pieces the largest is the part', async (t) => {
  const large = [20, 20, 70, 60] as const
  const boxes = [
    { at: [80, 80, 100, 100] as const, heightMetres: 0.02 },
    { at: large, heightMetres: 0.03 },
  ]
  const frame = sceneXyz({ boxes })
  const part = findPart(frame, { seed })
  t.ok('pointsMetres' in part)
  if ('pointsMetres' in part) t.same(kept(frame, part.pointsMetres, large), { inside: 2000, all: 2000 })
})

t.test('an empty table has no part on a calibrated plane', async (t) => {
  const part = findPart(sceneXyz({}), { plane: tablePlane, seed })
  t.match(part, { rejected: /profiler sees no part: 0 points off the table/ })
})

t.test('dust is no part: noise is never kept', async (t) => {
  const boxes = [15, 45, 75].map((left) => ({ at: [50, left, 53, left + 3] as const, heightMetres: 0.02 }))
  t.match(findPart(sceneXyz({ boxes }), { plane: tablePlane, seed }), { rejected: /27 points off the table/ })
})

t.test('a plane that cannot be the table is not used, and a flag says why', async (t) => {
  const rim: Rectangle[] = [
    [0, 0, 10, 120],
    [110, 0, 120, 120],
    [0, 0, 120, 10],
    [0, 110, 120, 120],
  ]
  const box = { at: [30, 40, 80, 90] as const, heightMetres: 0.02 }
  const towers = Array.from({ length: 144 }, (_, n) => {
    const top = Math.floor(n / 12) * 10
    const left = (n % 12) * 10
    return { at: [top, left, top + 10, left + 10] as const, heightMetres: 0.02 * ((n * 7) % 11) }
  })
  for (const [title, frame, flag] of [
    ['no border', sceneXyz({ boxes: [box], missing: rim }), 'plane-skipped-few-border-points'],
    ['towers from edge to edge', sceneXyz({ boxes: towers }), 'plane-skipped-uneven-border'],
    ['a flat part that fills the frame', sceneXyz({}), 'plane-skipped-takes-part'],
  ] as const) {
    const part = findPart(frame, { seed })
    t.same(part.flags, [flag], title)
    t.ok('pointsMetres' in part, title)
  }
})

t.test('a calibrated plane that is not where the table is gets a flag', async (t) => {
  const frame = sceneXyz({ boxes: [{ at: [30, 40, 80, 90], heightMetres: 0.02 }] })
  const lifted = planeFacingCamera([0.02, -0.03, 1], -0.49)
  t.same(findPart(frame, { plane: lifted, seed }).flags, ['station-plane-off'])
})

t.test("a point beyond any sensor's reach is dropped, and a flag says so", async (t) => {
  const at = [30, 40, 80, 90] as const
  const frame = sceneXyz({ boxes: [{ at, heightMetres: 0.02 }] })
  frame.pointsMetres.set([0, 900, 0.5], (50 * 120 + 50) * 3)
  const part = findPart(frame, { seed })
  t.same(part.flags, ['xyz-far-points'])
  if ('pointsMetres' in part) t.equal(kept(frame, part.pointsMetres, at).all, 2499)
})

t.test('a speck as a whole scene is a wrong unit', async (t) => {
  const frame = sceneXyz({ boxes: [{ at: [30, 40, 80, 90], heightMetres: 0.02 }] })
  const shrunk = { ...frame, pointsMetres: frame.pointsMetres.map((metres) => metres / 1000) }
  t.match(findPart(shrunk, { seed }), { rejected: /not in metres/ })
})

t.test('the same seed finds the same part', async (t) => {
  const frame = sceneXyz({ boxes: [{ at: [30, 40, 80, 90], heightMetres: 0.005 }] })
  t.same(findPart(frame, { seed: 3 }), findPart(frame, { seed: 3 }))
})

t.test(
  'whatever finite points come in, a part is points of the frame or a reason, never a throw',
  async () => {
    const size = { width: 32, height: 32 }
    const reach = fc.constantFrom(1e-30, 1e-6, 0.01, 1, 19, 999)
    const step = fc.constantFrom(0, 0.25, 1)
    fc.assert(
      fc.property(
        reach,
        step,
        fc.nat(3),
        fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
        (most, grid, flat, values) => {
          const pointsMetres = new Float32Array(32 * 32 * 3)
          for (let at = 0; at < pointsMetres.length; at++) {
            const value = Number(values.next().value)
            // Coarse steps make duplicates, lines and planes; one axis may be constant.
            pointsMetres[at] =
              at % 3 === flat ? most / 2 : most * (grid === 0 ? value : Math.round(value / grid) * grid)
          }
          const part = findPart({ ...sceneXyz(size), pointsMetres }, { seed: 1 })
          if ('rejected' in part) return part.rejected.length > 0
          return part.pointsMetres.every((metres, at) => metres === 0 || metres === pointsMetres[at])
        },
      ),
      { numRuns: 60 },
    )
  },
)
