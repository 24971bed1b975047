import t from 'tap'
import { halfToNumber } from '../../../drivers/formats/half-float.ts'

// IEEE 754-2019 binary16, the edges of every range.
const table: readonly (readonly [number, number])[] = [
  [0x0000, 0],
  [0x8000, -0],
  [0x0001, 2 ** -24],
  [0x03ff, 2 ** -14 - 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3555, 0.333251953125],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, NaN],
]
for (const [bits, value] of table) {
  t.test(`0x${bits.toString(16)} is ${value}`, async (t) => t.ok(Object.is(halfToNumber(bits), value)))
}
