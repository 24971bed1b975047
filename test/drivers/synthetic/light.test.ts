import t from 'tap'
import { boxBlur, castShadow, shadeRelief } from '../../../drivers/synthetic/light.ts'
import { createRelief, type Relief } from '../../../drivers/synthetic/relief.ts'

const texelMetres = 0.001

/** A flat table of the given albedo; a post of 5 x 5 mm and the given height in its middle. */
function post(heightMetres: number): Relief {
  const relief = createRelief(41, 41, texelMetres)
  relief.red.fill(0.5)
  relief.green.fill(0.5)
  relief.blue.fill(0.5)
  relief.roughness.fill(0.9)
  for (let row = 18; row <= 22; row++) {
    for (let column = 18; column <= 22; column++) relief.heightMetres[row * 41 + column] = heightMetres
  }
  return relief
}

t.test('a shadow is as long as the lamp’s elevation says', async (t) => {
  const elevation = Math.PI / 4
  for (const [azimuth, columnStep, rowStep] of [
    [0, -1, 0],
    [Math.PI, 1, 0],
    [Math.PI / 2, 0, -1],
    [-Math.PI / 2, 0, 1],
  ] as const) {
    const towards = [
      Math.cos(azimuth) * Math.cos(elevation),
      Math.sin(azimuth) * Math.cos(elevation),
      Math.sin(elevation),
    ] as const
    const lit = castShadow(post(0.008), towards, 0.0001)
    const at = (away: number): number => lit[(20 + rowStep * away) * 41 + 20 + columnStep * away]!
    // 8 mm at 45 degrees: the shadow ends 8 texels beyond the post's edge, which is 2 texels from its middle.
    t.equal(at(9), 0, `azimuth ${azimuth}: in the shadow`)
    t.equal(at(11), 1, `azimuth ${azimuth}: beyond it`)
    t.equal(at(-5), 1, `azimuth ${azimuth}: before it`)
  }
})

t.test('a lamp overhead casts no shadow', async (t) => {
  t.ok(castShadow(post(0.02), [0, 0, 1], 0.0001).every((share) => share === 1))
})

t.test('a running mean equals the mean, edges repeated', async (t) => {
  const columns = 7
  const rows = 5
  const radius = 2
  const source = Float32Array.from({ length: columns * rows }, (_, index) => (index * 37) % 11)
  const blurred = boxBlur(source, { columns, rows, radius })
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0
      for (let y = -radius; y <= radius; y++) {
        for (let x = -radius; x <= radius; x++) {
          const r = Math.min(Math.max(row + y, 0), rows - 1)
          const c = Math.min(Math.max(column + x, 0), columns - 1)
          sum += source[r * columns + c]!
        }
      }
      const expected = sum / (2 * radius + 1) ** 2
      t.ok(Math.abs(blurred[row * columns + column]! - expected) < 1e-5)
    }
  }
})

t.test('light adds up: a matte grey table under a lamp overhead reflects its albedo', async (t) => {
  const lighting = { domeIntensity: 0, lamps: [{ direction: [0, 0, 1] as const, intensity: 1 }] }
  const radiance = shadeRelief(post(0), lighting, [0, 0, 0.5])
  const middle = radiance.red[20 * 41 + 20]!
  t.ok(middle > 0.5 && middle < 0.53, `${middle}: albedo 0.5 and a few percent of gloss`)
  t.ok(radiance.facing[20 * 41 + 20]! > 0.999)
})

t.test('what lies at the foot of a wall sees less of the dome', async (t) => {
  const lighting = { domeIntensity: 1, lamps: [] }
  const { red } = shadeRelief(post(0.01), lighting, [0, 0, 0.5])
  t.ok(red[20 * 41 + 24]! < 0.8 * red[20 * 41 + 38]!)
})
