/**
 * A million damaged frames for the parsers of profilers: none throws, none hangs, and none keeps what it read. Frames that
 * are whole are damaged as cables and wrong settings do it (bits, cuts, gaps, repeats, other lengths), and cut anywhere.
 */
import { performance } from 'node:perf_hooks'
import t from 'tap'
import type { ProfileParser } from '../../drivers/profiler/profile.ts'
import { randomFrom, type Random } from '../../drivers/random.ts'
import { heldBytes } from '../support/held-bytes.ts'
import { parserCases } from '../support/profile-parsers.ts'

const CASES = 1_000_000
/** Read by one parser: what it keeps would add up. A length that cannot be ends it sooner. */
const CASES_OF_ONE_PARSER = 500
const MOST_GROWTH_BYTES = 24 * 1024 * 1024
const MOST_MILLISECONDS = 2000

function damaged(frame: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(frame)
  const at = random.integer(0, bytes.length - 1)
  switch (random.integer(0, 7)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7))
      return bytes
    case 1:
      bytes[at] = random.integer(0, 255)
      return bytes
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return bytes.subarray(at)
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes])
    case 5:
      // Lengths, separators, and what ends a line or a frame.
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.of(random.pick([0, 2, 3, 10, 13, 44, 45, 46, 127, 255])),
        bytes.subarray(at),
      ])
    case 6:
      bytes.fill(random.integer(0, 255), at, Math.min(bytes.length, at + random.integer(1, 16)))
      return bytes
    default:
      return bytes
  }
}

t.test('a million damaged frames', { timeout: 120_000 }, async (t) => {
  const seed = 20_261
  const random = randomFrom(seed, 'profiler fuzz')
  const share = Math.ceil(CASES / parserCases.length)
  for (const { name, make, frame } of parserCases) {
    const frames = [1, 3, 8, 20].map((samples) =>
      frame(
        random.integer(0, 0xffff_ffff),
        Array.from({ length: samples }, () => random.integer(-32_768, 32_767)),
      ),
    ) as [Buffer, ...Buffer[]]
    let parser: ProfileParser = make()
    let [profiles, damages, worstMs, odd] = [0, 0, 0, 0]
    const read = (bytes: Buffer): void => {
      for (const { heights, positions, counter } of parser.read(bytes)) {
        profiles++
        const isWhole = heights.length > 0 && (positions === undefined || positions.length === heights.length)
        if (!isWhole || !Number.isSafeInteger(counter)) odd++
      }
    }
    const run = (cases: number): void => {
      for (let i = 0; i < cases; i++) {
        if (i % CASES_OF_ONE_PARSER === 0 || parser.damage.isFatal) {
          damages += parser.damage.total
          parser = make()
        }
        const bytes = damaged(random.pick(frames), random)
        const cut = random.integer(0, bytes.length)
        const sinceMs = performance.now()
        read(bytes.subarray(0, cut))
        read(bytes.subarray(cut))
        worstMs = Math.max(worstMs, performance.now() - sinceMs)
      }
    }
    run(20_000)
    const before = heldBytes()
    run(share - 20_000)
    const growth = heldBytes() - before
    t.comment(
      `${name}: ${share} cases of seed ${seed}, ${profiles} profiles, ${damages} damaged, worst ${worstMs.toFixed(1)} ms, ${growth} bytes more`,
    )
    t.equal(odd, 0, `${name}: every profile is whole`)
    t.ok(profiles > share / 20 && damages > share / 100, `${name}: good and bad were seen`)
    t.ok(growth < MOST_GROWTH_BYTES, `${name}: memory does not grow`)
    t.ok(worstMs < MOST_MILLISECONDS, `${name}: none hangs`)
  }
})

t.test('a stream of one parser that goes on and on keeps nothing', async (t) => {
  const random = randomFrom(7, 'profiler streams')
  for (const { name, make } of parserCases) {
    const parser = make()
    const noise = Buffer.from(Array.from({ length: 4096 }, () => random.integer(0, 255)))
    const before = heldBytes()
    for (let i = 0; i < 2000; i++) parser.read(noise)
    for (let i = 0; i < 2000; i++) parser.read(Buffer.alloc(1024, 2))
    const growth = heldBytes() - before
    t.ok(growth < 4 * 1024 * 1024, `${name}: ${growth} bytes more after 10 MB`)
    t.ok(parser.damage.total > 0)
  }
})
