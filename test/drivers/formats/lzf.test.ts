import t from 'tap'
import { decompressLzf } from '../../../drivers/formats/lzf.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))

t.test('literals, short, long and overlapping references', async (t) => {
  const packed = Uint8Array.of(2, ...bytes('abc'), 0x20, 2, 0xe0, 1, 0)
  // abc, 3 bytes from 3 back, 10 bytes from 1 back.
  t.same(decompressLzf(packed, 16), bytes('abcabccccccccccc'))
})

const damaged: readonly (readonly [string, readonly number[], number])[] = [
  ['literals beyond the end', [5, 1], 6],
  ['more literals than promised', [1, 7, 7], 1],
  ['a reference before the beginning', [0, 7, 0x20, 9], 4],
  ['a reference without its distance', [0, 7, 0x20], 4],
  ['a long reference without its length', [0, 7, 0xe0], 12],
  ['a longer reference than promised', [0, 7, 0x20, 0], 3],
  ['less than promised', [0, 7], 2],
]
for (const [title, packed, size] of damaged) {
  t.test(`refuses ${title}`, async (t) => t.equal(decompressLzf(Uint8Array.from(packed), size), undefined))
}
