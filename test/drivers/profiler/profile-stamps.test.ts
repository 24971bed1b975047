import t from 'tap'
import { AsciiLines } from '../../../drivers/profiler/ascii-lines.ts'
import { ProfileStamps } from '../../../drivers/profiler/profile-stamps.ts'
import { profileFrom } from '../../../drivers/profiler/sample-layout.ts'
import { asciiOptions, stxLayout } from '../../support/profile-parsers.ts'

t.test('profiles that the network held back keep their time', async (t) => {
  const stamps = new ProfileStamps({ stampMs: 0.001, latencyMs: 2 })
  for (let i = 0; i < 10; i++) stamps.read(1e6 + 10_000 * i, 100 + 10 * i)
  const burst = [10, 11, 12].map((i) => Math.round(stamps.read(1e6 + 10_000 * i, 500).exposedAtMs))
  t.same(burst, [198, 208, 218], 'not 498')
})

t.test('stamps wrap around, may be coarse, and may be missing', async (t) => {
  const stamps = new ProfileStamps({ stampMs: 1, latencyMs: 0 })
  stamps.read(2 ** 32 - 10, 1000)
  t.match(stamps.read(2 ** 32 - 10, 1003), { exposedAtMs: 1000, remark: undefined }, 'two in a millisecond')
  t.equal(Math.round(stamps.read(5, 1015).exposedAtMs), 1015, 'around')
  t.equal(Math.round(stamps.read(6, 1300).exposedAtMs), 1016)
  t.match(stamps.read(undefined, 1400), { exposedAtMs: 1400 })
  t.match(stamps.read(90_000, 1500), { remark: { code: 'clock-step' } }, 'somebody set the clock')
})

t.test('where they stand', async (t) => {
  const lines = new AsciiLines({ ...asciiOptions, stampColumn: 1, firstColumn: 2 })
  t.match(lines.read(Buffer.from('7,123456,5\r7,x,5\r')), [{ counter: 7, stamp: 123_456, heights: [5] }])
  t.match(lines.damage, { total: 1, last: /time stamp "x"/ })
  const layout = { ...stxLayout, order: 'z', stampAtByte: 4, samplesAtByte: 8 } as const
  const body = Buffer.from('00000007000001000005', 'hex')
  t.match(profileFrom(body, layout), { counter: 7, stamp: 256, heights: [5] })
  t.match(profileFrom(body, { ...layout, stampAtByte: 8 }), /without the time stamp/)
})
