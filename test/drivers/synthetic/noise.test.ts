import t from 'tap'
import { fractalNoise, valueNoise } from '../../../drivers/synthetic/noise.ts'

const fields = {
  value: (seed: number) => valueNoise(seed),
  fractal: (seed: number) => fractalNoise(seed, 4),
}

t.test('fields are seeded, bounded, centred and smooth', async (t) => {
  for (const [name, make] of Object.entries(fields)) {
    const field = make(3)
    const other = make(4)
    let [sum, largest, steepest, differing] = [0, 0, 0, 0]
    for (let row = 0; row < 100; row++) {
      for (let column = 0; column < 100; column++) {
        const [x, y] = [(column - 50) * 0.37, (row - 50) * 0.41]
        const value = field(x, y)
        sum += value
        largest = Math.max(largest, Math.abs(value))
        steepest = Math.max(steepest, Math.abs(field(x + 0.001, y) - value) / 0.001)
        if (other(x, y) !== value) differing++
      }
    }
    t.equal(make(3)(1.2, -3.4), field(1.2, -3.4))
    t.ok(largest > 0.5 && largest <= 1, `${name}: up to ${largest}`)
    t.ok(Math.abs(sum / 10_000) < 0.05, `${name}: mean ${sum / 10_000}`)
    t.ok(steepest < 8, `${name}: slope ${steepest}`)
    t.ok(differing > 9_900, `${name}: another seed is another field`)
  }
})
