import t from 'tap'
import { shadedDepth } from '../../runtime/shaded-depth.ts'

const header = { modality: 'xyz', sensor: 's', sequence: 1, exposedAtMs: 0 } as const

t.test('holes are black, and a face towards the light is brighter than one away from it', (t) => {
  const width = 21
  const pointsMetres = new Float32Array(width * width * 3)
  for (let y = 0; y < width; y++)
    for (let x = 0; x < width; x++) pointsMetres[(y * width + x) * 3 + 2] = 0.5 + 0.001 * Math.abs(x - 10)
  pointsMetres[(5 * width + 5) * 3 + 2] = 0
  const grey = shadedDepth({ ...header, width, height: width, pointsMetres })
  t.equal(grey[5 * width + 5], 0)
  t.ok((grey[12 * width + 4] ?? 0) > (grey[12 * width + 16] ?? 0), 'a ridge: its left side is lit')
  t.end()
})

t.test('a flat wall is an even grey', (t) => {
  const grey = shadedDepth({ ...header, width: 4, height: 4, pointsMetres: new Float32Array(48).fill(0.5) })
  t.equal(new Set(grey).size, 1)
  t.end()
})
