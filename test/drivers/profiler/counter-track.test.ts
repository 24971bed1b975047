import fc from 'fast-check'
import t from 'tap'
import { CounterTrack, type CounterTrackOptions } from '../../../drivers/profiler/counter-track.ts'

const options = { countsPerProfile: 1, counterBits: 32, reorderedProfiles: 4, profiles: 20 } as const
const placesOf = (counters: (number | undefined)[], change: Partial<CounterTrackOptions> = {}) => {
  const track = new CounterTrack({ ...options, ...change })
  return counters.map((counter) => {
    const { run, position } = track.place(counter)
    return [run, position]
  })
}

t.test('positions rise with the counter, through wraps, gaps and exchanges', async (t) => {
  t.same(placesOf([7, 8, 10, 9, 10]), [
    [1, 0],
    [1, 1],
    [1, 3],
    [1, 2],
    [1, 3],
  ])
  t.same(placesOf([65_534, 65_535, 0, 65_535, 1], { counterBits: 16 }), [
    [1, 0],
    [1, 1],
    [1, 2],
    [1, 1],
    [1, 3],
  ])
  t.same(placesOf([2 ** 32 - 1, 0, 1]), [
    [1, 0],
    [1, 1],
    [1, 2],
  ])
  t.same(
    placesOf([100, 96, 92], { countsPerProfile: -4 }),
    [
      [1, 0],
      [1, 4],
      [1, 8],
    ],
    'a counter that falls',
  )
  t.same(placesOf([2, 65_534], { countsPerProfile: -4, counterBits: 16 }), [
    [1, 0],
    [1, 4],
  ])
  t.same(
    placesOf([undefined, undefined], { countsPerProfile: -4 }),
    [
      [1, 0],
      [1, 4],
    ],
    'without a counter',
  )
  t.same(placesOf([2 ** 40, 2 ** 40 + 1], { counterBits: 64 }), [
    [1, 0],
    [1, 1],
  ])
})

t.test('a jump begins a new run', async (t) => {
  t.same(
    placesOf([500, 0, 1]),
    [
      [1, 0],
      [2, 0],
      [2, 1],
    ],
    'somebody zeroed the encoder',
  )
  t.same(
    placesOf([0, 25, 26]),
    [
      [1, 0],
      [2, 0],
      [2, 1],
    ],
    'further than a map and its latecomers',
  )
  t.same(placesOf([0, 24]), [
    [1, 0],
    [1, 24],
  ])
})

t.test('a counter that starts anew for each part says where the part began', async (t) => {
  const track = new CounterTrack({ ...options, restartsAt: 0 })
  t.match(track.place(18), { run: 1, origin: -18 })
  t.match(track.place(19), { run: 1, position: 1 })
  t.match(track.place(2), { run: 2, position: 0, origin: -2 }, 'the first two were lost')
  t.match(track.place(1), { run: 2, position: -1 }, '... or late')
  t.match(track.place(0), { run: 2, position: -2 })
  t.match(track.place(19), { run: 2, position: 17 })
  t.match(track.place(0), { run: 3, position: 0, origin: 0 })
  const small = new CounterTrack({ ...options, profiles: 3, restartsAt: 0 })
  t.same(
    [0, 1, 2, 0, 1].map((counter) => small.place(counter).run),
    [1, 1, 1, 2, 2],
  )
})

t.test('any counters: whole positions, runs that do not fall', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.nat(0xffff_ffff), { nil: undefined })),
      fc.constantFrom<16 | 32 | 64>(16, 32, 64),
      fc.constantFrom(-7, -1, 1, 3),
      (counters, counterBits, countsPerProfile) => {
        let last = 0
        for (const [run = 0, position = NaN] of placesOf(counters, { counterBits, countsPerProfile })) {
          if (run < last || !Number.isSafeInteger(position)) return false
          last = run
        }
        return true
      },
    ),
  )
  t.pass()
})
