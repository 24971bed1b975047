import t from 'tap'
import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import {
  readSafetensors,
  SafetensorsError,
  writeSafetensors,
  type SafeTensor,
} from '../../models/safetensors.ts'

const golden = await readFile(new URL('../fixtures/safetensors/golden.safetensors', import.meta.url))

/** A file with this header, written without any of the writer's care. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

t.test('a file of the reference writer is read right', async (t) => {
  const tensors = readSafetensors(golden)
  t.same(tensors.get('floats'), {
    dtype: 'F32',
    shape: [2, 3],
    data: Float32Array.from([0, 0.25, 0.5, 0.75, 1, 1.25]),
  })
  t.same(tensors.get('doubles'), { dtype: 'F64', shape: [2], data: Float64Array.from([1e300, -0.1]) })
  t.same(tensors.get('ints'), { dtype: 'I32', shape: [2, 1], data: Int32Array.from([-5, 7]) })
  t.same(tensors.get('longs'), { dtype: 'I64', shape: [2], data: BigInt64Array.from([2n ** 62n, -1n]) })
  t.same(tensors.get('bytes'), { dtype: 'U8', shape: [3], data: Uint8Array.from([0, 255, 3]) })
  t.same(tensors.get('empty'), { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) })
  t.same(tensors.get('scalar'), { dtype: 'F32', shape: [], data: Float32Array.of(2.5) })
})

t.test('what was written is read back, and written again it is the same bytes', async (t) => {
  const tensor: fc.Arbitrary<SafeTensor> = fc.oneof(
    fc
      .array(fc.float({ noNaN: true }))
      .map((list): SafeTensor => ({ dtype: 'F32', shape: [list.length], data: Float32Array.from(list) })),
    fc
      .array(fc.double({ noNaN: true }))
      .map((list): SafeTensor => ({ dtype: 'F64', shape: [1, list.length], data: Float64Array.from(list) })),
    fc.uint8Array().map((data): SafeTensor => ({ dtype: 'U8', shape: [data.length, 1], data })),
    fc.int32Array().map((data): SafeTensor => ({ dtype: 'I32', shape: [data.length], data })),
    fc.bigInt64Array().map((data): SafeTensor => ({ dtype: 'I64', shape: [data.length], data })),
  )
  const file = fc.array(
    fc.tuple(
      fc.string({ minLength: 1 }).filter((name) => !name.startsWith('__')),
      tensor,
    ),
  )
  fc.assert(
    fc.property(file, (entries) => {
      // Names that are whole numbers are moved to the front by JSON itself; order carries no meaning.
      const tensors = new Map(entries)
      const bytes = writeSafetensors(tensors)
      const back = readSafetensors(bytes)
      t.strictSame(new Map([...back].sort()), new Map([...tensors].sort()))
    }),
    { numRuns: 100 },
  )
  const tensors = readSafetensors(golden)
  t.same(writeSafetensors(readSafetensors(writeSafetensors(tensors))), writeSafetensors(tensors))
})

t.test('a file that breaks the format is refused', async (t) => {
  const four = new Uint8Array(4)
  const entry = (begin: number, end: number, shape = [1], dtype = 'F32') => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  })
  const broken: readonly [string, Uint8Array][] = [
    ['shorter than its length field', Uint8Array.of(1, 2, 3)],
    ['a header longer than the file', fileOf({}).slice(0, 9)],
    ['a header of exabytes', Buffer.alloc(64, 0xff)],
    ['no JSON', fileOf('{"a":')],
    ['no UTF-8', fileOf('{').map((byte) => (byte === 0x7b ? 0xff : byte))],
    ['JSON that is no object', fileOf('[1]')],
    ['an entry without offsets', fileOf({ a: { dtype: 'F32', shape: [1] } }, four)],
    ['an entry with a stranger key', fileOf({ a: { ...entry(0, 4), extra: 1 } }, four)],
    ['a negative size', fileOf({ a: entry(0, 4, [-1]) }, four)],
    ['offsets beyond the data', fileOf({ a: entry(0, 8, [2]) }, four)],
    ['offsets that run backwards', fileOf({ a: entry(4, 0, [0]) }, four)],
    ['a shape that disagrees with the bytes', fileOf({ a: entry(0, 4, [2]) }, four)],
    ['two tensors on the same bytes', fileOf({ a: entry(0, 4), b: entry(0, 4) }, four)],
    ['a hole between tensors', fileOf({ a: entry(0, 4), b: entry(8, 12) }, new Uint8Array(12))],
    ['bytes after the last tensor', fileOf({ a: entry(0, 4) }, new Uint8Array(5))],
    ['metadata that is no map of strings', fileOf({ __metadata__: { a: 1 } })],
  ]
  for (const [what, bytes] of broken) {
    t.throws(() => readSafetensors(bytes), { code: 'SAFETENSORS_INVALID' }, what)
  }
  t.throws(() => readSafetensors(fileOf({ a: entry(0, 4, [2], 'F16') }, four)), {
    code: 'SAFETENSORS_UNSUPPORTED',
  })
  t.throws(
    () => writeSafetensors(new Map([['a', { dtype: 'F32', shape: [3], data: new Float32Array(2) }]])),
    {
      code: 'SAFETENSORS_INVALID',
    },
  )
})

t.test('flipped bytes never end in anything but tensors or our own error', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(golden.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (flips) => {
        const bytes = Uint8Array.from(golden)
        for (const [position, value] of flips) bytes[position] = value
        try {
          readSafetensors(bytes)
        } catch (error) {
          if (!(error instanceof SafetensorsError)) throw error
        }
      },
    ),
    { numRuns: 2000 },
  )
  t.pass()
})
