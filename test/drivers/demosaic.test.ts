import t from 'tap'
import { demosaic, type BayerPattern } from '../../drivers/demosaic.ts'
import { randomFrom } from '../../drivers/random.ts'

/** By definition: each missing colour is the mean of the measured ones in the 3 x 3 window, edges mirrored. */
function plainly(mosaic: Uint8Array, width: number, height: number, pattern: BayerPattern): number[] {
  const order = { RG: 'RGGB', GR: 'GRBG', GB: 'GBRG', BG: 'BGGR' }[pattern]
  const colourAt = (x: number, y: number) => order[(y & 1) * 2 + (x & 1)]!
  const mirrored = (at: number, size: number) => (at < 0 ? 1 : at === size ? size - 2 : at)
  const rgb: number[] = []
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (const colour of 'RGB') {
        const own = colourAt(x, y)
        if (own === colour) {
          rgb.push(mosaic[y * width + x]!)
          continue
        }
        const seen: number[] = []
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            if (colourAt(x + dx + 2, y + dy + 2) !== colour) continue
            seen.push(mosaic[mirrored(y + dy, height) * width + mirrored(x + dx, width)]!)
          }
        }
        rgb.push(Math.round(seen.reduce((sum, value) => sum + value, 0) / seen.length))
      }
    }
  }
  return rgb
}

t.test('each pattern is what the definition says, odd sizes and edges too', async (t) => {
  const random = randomFrom(7, 'mosaic')
  for (const pattern of ['RG', 'GR', 'GB', 'BG'] as const) {
    for (const [width, height] of [
      [2, 2],
      [5, 4],
      [8, 7],
    ] as const) {
      const mosaic = Uint8Array.from({ length: width * height }, () => random.integer(0, 255))
      const got = [...demosaic(mosaic, { width, height }, pattern)]
      t.same(got, plainly(mosaic, width, height, pattern), `${pattern} ${width}x${height}`)
    }
  }
})

t.test('a plain colour stays plain', async (t) => {
  const rgb = demosaic(Uint8Array.of(200, 100, 100, 50), { width: 2, height: 2 }, 'RG')
  t.same([...rgb], [200, 100, 50, 200, 100, 50, 200, 100, 50, 200, 100, 50])
})

t.test('a single row has no colours', async (t) => {
  t.throws(() => demosaic(new Uint8Array(4), { width: 4, height: 1 }, 'RG'), RangeError)
})
