import t from 'tap'
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { judgeLook, learnLooks, looksOf } from '../../drivers/look-limits.ts'
import { randomFrom } from '../../drivers/random.ts'

const header = { sensor: 'top', sequence: 1, exposedAtMs: 0, width: 64, height: 64 }

/** Soft stripes with a little noise. */
function picture({ gain = 1, softPixels = 2, seed = 1, whiteShare = 0 } = {}): RgbFrame {
  const { between } = randomFrom(seed, 'look')
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3)
    if (pixel < whiteShare * 64 * 64) return 255
    const edge = Math.max(-1, Math.min(1, (8 - Math.abs((pixel % 32) - 16)) / softPixels))
    return Math.min(255, Math.max(0, gain * (80 + 50 * edge) + between(-1, 1)))
  })
  return { ...header, modality: 'rgb', pixels }
}

function points({ share = 0.6, metres = 0.4, seed = 1 } = {}): XyzFrame {
  const { between } = randomFrom(seed, 'look')
  const pointsMetres = new Float32Array(64 * 64 * 3)
  for (let i = 0; i < pointsMetres.length; i += 3) {
    if (((i / 3) * 7919) % 100 < share * 100) pointsMetres.fill(metres + between(-0.001, 0.001), i, i + 3)
  }
  return { ...header, modality: 'xyz', pointsMetres }
}

const seeds = [1, 2, 3, 4, 5]
const learned = learnLooks(seeds.map((seed) => looksOf({ rgb: picture({ seed }), xyz: points({ seed }) })))!

t.test('good frames are within what was taught', async (t) => {
  t.match(learned, { rgb: { frames: 5 }, xyz: { frames: 5 } })
  for (const seed of [6, 7, 8, 9]) {
    t.same(judgeLook(picture({ seed }), learned), { remarks: [] })
    t.same(judgeLook(points({ seed }), learned), { remarks: [] })
  }
})

t.test('outside it a frame is degraded, far outside rejected', async (t) => {
  const table: [frame: RgbFrame | XyzFrame, code: string, detail: RegExp][] = [
    [picture({ gain: 0.5 }), 'dark', /brightness \d\d of 255.*at least \d\d/],
    [picture({ gain: 0.15 }), 'rejected', /dark/],
    [picture({ whiteShare: 0.2 }), 'saturated', /20\.\d % of it is white/],
    [picture({ whiteShare: 0.7 }), 'rejected', /white/],
    [picture({ softPixels: 8 }), 'blurred', /of the contrast between neighbours/],
    [picture({ softPixels: 500 }), 'rejected', /blurred/],
    [points({ share: 0.35 }), 'few-returns', /35\.\d % of its pixels, good parts had at least/],
    [points({ share: 0.1 }), 'rejected', /10\.\d %/],
    [points({ metres: 0.45 }), 'distance', /0\.450 m, good parts had 0\.400 to/],
    [points({ metres: 0.3 }), 'distance', /0\.300 m/],
    [points({ metres: 0.8 }), 'rejected', /0\.800 m/],
  ]
  for (const [frame, code, detail] of table) {
    const { remarks, refusal } = judgeLook(frame, learned)
    if (code === 'rejected')
      t.match({ remarks, refusal }, { remarks: [], refusal: { reason: 'rejected', detail } })
    else {
      const own = remarks.find((remark) => remark.code === code)
      t.match(own, { code, detail, degrades: true }, `${code}: ${JSON.stringify(remarks)} ${refusal?.detail}`)
      t.equal(refusal, undefined)
    }
  }
})

t.test('what was not taught has no limits', async (t) => {
  t.equal(learnLooks([]), undefined)
  t.equal(
    learnLooks([looksOf({ rgb: picture() }), looksOf({ rgb: picture() })]),
    undefined,
    'two are no range',
  )
  const pictures = learnLooks(seeds.map((seed) => looksOf({ rgb: picture({ seed }) })))!
  t.same(Object.keys(pictures), ['rgb'])
  t.same(judgeLook(points({ metres: 3 }), pictures), { remarks: [] })
  const clouds = learnLooks(seeds.map((seed) => looksOf({ xyz: points({ seed }) })))!
  t.same(judgeLook(picture({ gain: 0.1 }), clouds), { remarks: [] })
})
