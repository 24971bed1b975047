import fc from 'fast-check'
import t from 'tap'
import { hash32, hashText, randomFrom } from '../../drivers/random.ts'

t.test('hash32 is a bijection that flips half of the bits', async (t) => {
  const seen = new Set<number>()
  let flipped = 0
  for (let value = 0; value < 20_000; value++) {
    seen.add(hash32(value))
    for (let bits = hash32(value) ^ hash32(value ^ 1); bits !== 0; bits &= bits - 1) flipped++
  }
  t.equal(seen.size, 20_000)
  t.ok(Math.abs(flipped / 20_000 - 16) < 0.2, `${flipped / 20_000} of 32 bits`)
})

t.test('streams of one seed differ by purpose, not by run', async (t) => {
  const draws = (purpose: string, seed = 3) => {
    const random = randomFrom(seed, purpose)
    return Array.from({ length: 5 }, () => random.between(0, 1))
  }
  t.same(draws('pose'), draws('pose'))
  t.notSame(draws('pose'), draws('light'))
  t.notSame(draws('pose'), draws('pose', 4))
  t.not(hashText('ab'), hashText('ba'))
})

t.test('draws stay in their range and fill it', async (t) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = randomFrom(seed, 'range')
      const whole = random.integer(-2, 2)
      const real = random.between(5, 6)
      return Number.isInteger(whole) && whole >= -2 && whole <= 2 && real >= 5 && real < 6
    }),
    { verbose: true },
  )
  const random = randomFrom(1, 'fill')
  t.equal(new Set(Array.from({ length: 200 }, () => random.integer(0, 4))).size, 5)
  t.equal(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b', 'c']))).size, 3)
  const hits = Array.from({ length: 2000 }, () => random.chance(0.25)).filter(Boolean).length
  t.ok(Math.abs(hits - 500) < 80, `${hits} of 2000 at a quarter`)
})

t.test('normal draws have zero mean and unit variance', async (t) => {
  const random = randomFrom(2, 'normal')
  const values = Array.from({ length: 5000 }, () => random.normal())
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  t.ok(Math.abs(mean) < 0.06 && Math.abs(variance - 1) < 0.08, `${mean}, ${variance}`)
})
