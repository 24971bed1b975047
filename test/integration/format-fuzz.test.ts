/** Damaged files of every format end in a FormatError or in a well-formed map or picture; nothing crashes, nothing takes long. */
import fc from 'fast-check'
import t from 'tap'
import { FormatError } from '../../drivers/formats/format-error.ts'
import { readNpy } from '../../drivers/formats/npy.ts'
import { readPcd } from '../../drivers/formats/pcd.ts'
import { readPicture } from '../../drivers/formats/picture.ts'
import { readPly } from '../../drivers/formats/ply.ts'
import type { PointMap, PointMapOptions } from '../../drivers/formats/point-map.ts'
import { readTiff } from '../../drivers/formats/tiff.ts'
import { npyFile, pcdFile, plyFile, pngFile, smallMap, tiffVariants } from '../support/point-map-files.ts'

const LONGEST_MS = 1000
/** Small, so that a damaged size cannot make the test itself slow. */
const limits = { maxPixels: 2 ** 20 }

const map = smallMap(9, 7)
type Reader = (file: string, bytes: Uint8Array, options: PointMapOptions) => Promise<PointMap>
const samples: readonly (readonly [string, Uint8Array, Reader])[] = [
  ...[...tiffVariants()].map(([name, bytes]) => [`tiff ${name}`, bytes, readTiff] as const),
  ...(['ascii', 'binary_little_endian', 'binary_big_endian'] as const).map(
    (format) => [`ply ${format}`, plyFile(map, format), readPly] as const,
  ),
  ...(['ascii', 'binary', 'binary_compressed'] as const).map(
    (kind) => [`pcd ${kind}`, pcdFile(map, kind), readPcd] as const,
  ),
  ['npy', npyFile(map), readNpy],
]

interface Damage {
  /** Where the file ends, as a share of its length. */
  readonly keep: number
  readonly flips: readonly { readonly at: number; readonly bit: number }[]
}
const damage: fc.Arbitrary<Damage> = fc.record({
  keep: fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
  // Half of the flips hit the first part of the file, where headers are.
  flips: fc.array(
    fc.record({
      at: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.2, noNaN: true })),
      bit: fc.nat(7),
    }),
    { maxLength: 6 },
  ),
})

function damaged(bytes: Uint8Array, { keep, flips }: Damage): Uint8Array {
  const copy = new Uint8Array(bytes)
  for (const { at, bit } of flips) copy[Math.min(Math.floor(at * copy.length), copy.length - 1)]! ^= 1 << bit
  return copy.subarray(0, Math.floor(keep * copy.length))
}

/** Throws unless the reading was refused properly or gave something well-formed, in time. */
async function holds(
  read: () => Promise<{ width: number; height: number; samples: ArrayLike<number> }>,
): Promise<void> {
  const before = process.cpuUsage()
  try {
    const { width, height, samples } = await read()
    if (samples.length !== width * height * 3)
      throw new Error(`${samples.length} samples for ${width} x ${height}`)
    for (let i = 0; i < samples.length; i++)
      if (!Number.isFinite(samples[i])) throw new Error(`sample ${i} is not finite`)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
  }
  const { user, system } = process.cpuUsage(before)
  const tookMs = (user + system) / 1000
  if (tookMs > LONGEST_MS) throw new Error(`took ${tookMs} ms of processor time`)
}

t.test('damaged point maps are refused or well-formed', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...samples), damage, async ([name, bytes, read], how) => {
      const copy = damaged(bytes, how)
      await holds(async () => {
        const { width, height, pointsMetres } = await read(name, copy, { limits, integerStepMetres: 1 / 64 })
        return { width, height, samples: pointsMetres }
      })
    }),
    { numRuns: 4000 },
  )
  t.pass('4000 damaged files')
})

t.test('every prefix of every sample is refused, or holds the whole map', async (t) => {
  for (const [name, bytes, read] of samples) {
    const step = Math.max(1, Math.floor(bytes.length / 60))
    for (let length = 0; length < bytes.length; length += step) {
      try {
        await read(name, bytes.subarray(0, length), { integerStepMetres: 1 / 64 })
        // What a map does not need may be cut off: PLY's faces, the padding at a TIFF's end.
        if (bytes.length - length > 40) t.fail(`${name} was read from ${length} of ${bytes.length} bytes`)
      } catch (error) {
        if (!(error instanceof FormatError)) t.fail(`${name} at ${length}: ${String(error)}`)
      }
    }
  }
})

t.test('random bytes are refused by every reader', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      for (const read of [readTiff, readPly, readPcd, readNpy]) {
        await read('noise', bytes).then(
          () => t.fail('noise was read'),
          (error: unknown) => {
            if (!(error instanceof FormatError)) throw error
          },
        )
      }
    }),
    { numRuns: 300 },
  )
})

t.test('damaged pictures are refused or well-formed', async (t) => {
  const png = await pngFile(16, 12)
  await fc.assert(
    fc.asyncProperty(damage, async (how) => {
      const copy = damaged(png, how)
      await holds(async () => {
        const { width, height, pixels } = await readPicture('picture.png', copy, limits)
        return { width, height, samples: pixels }
      })
    }),
    { numRuns: 300 },
  )
  t.pass('300 damaged files')
})
