import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { nearestPositions, resizeBicubic, type Raster, type Size } from '../../models/resample.ts'

interface Case {
  readonly seed: number
  readonly from: Raster
  readonly to: Size
  readonly sha256: string
  readonly base64?: string
}

/** The bytes of test/fixtures/bicubic/make.py. */
function noise(count: number, seed: number): Uint8Array {
  let state = seed
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const byte = state >>> 24
    return byte < 90 ? 0 : byte > 166 ? 255 : byte
  })
}

t.test('bicubic equals Pillow bit for bit', async (t) => {
  const file = new URL('../fixtures/bicubic/cases.json', import.meta.url)
  const cases = JSON.parse(await readFile(file, 'utf8')) as Case[]
  t.ok(cases.length >= 12)
  for (const { seed, from, to, sha256, base64 } of cases) {
    const title = `${from.width}x${from.height}x${from.channels} to ${to.width}x${to.height}`
    const resized = resizeBicubic(noise(from.width * from.height * from.channels, seed), from, to)
    if (base64 !== undefined) t.equal(Buffer.from(resized).toString('base64'), base64, title)
    t.equal(createHash('sha256').update(resized).digest('hex'), sha256, title)
  }
})

t.test('resizing leaves the source alone and never returns it', async (t) => {
  const pixels = noise(300, 1)
  const before = pixels.slice()
  const same = resizeBicubic(pixels, { width: 10, height: 10, channels: 3 }, { width: 10, height: 10 })
  t.same(same, before)
  same.fill(0)
  resizeBicubic(pixels, { width: 10, height: 10, channels: 3 }, { width: 5, height: 4 })
  t.same(pixels, before)
})

t.test('nearest picks the source at or before the exact position', async (t) => {
  t.same([...nearestPositions(4, 2)], [0, 2])
  t.same([...nearestPositions(5, 3)], [0, 1, 3])
  t.same([...nearestPositions(2, 4)], [0, 0, 1, 1])
  const positions = nearestPositions(400, 224)
  // 28 * 400 / 224 is exactly 50: float arithmetic could fall on either side.
  t.same([positions[0], positions[1], positions[28], positions[223]], [0, 1, 50, 398])
})
