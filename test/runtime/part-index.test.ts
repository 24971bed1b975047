import t from 'tap'
import { join } from 'node:path'
import { openPartIndex, type PartFacts, type PartIndex } from '../../runtime/part-index.ts'
import { without } from '../support/stored-parts.ts'

const START = Date.UTC(2026, 2, 1, 6)
const timeOf = (seq: number): string => new Date(START + seq * 60_000).toISOString()

function factsOf(seq: number, fields: Partial<PartFacts> = {}): PartFacts {
  return {
    triggerId: `run-${seq}`,
    seq,
    product: 'nut',
    time: timeOf(seq),
    outcome: 'pass',
    condition: 'complete',
    normality: 0.5,
    distance: 1.5,
    repositoryId: 'repository-a',
    flags: [],
    degraded: false,
    ...fields,
  }
}

const files = (fields = {}) => ({ hasFeatures: true, hasFrames: false, bytes: 100, ...fields })
const open = (file = ':memory:'): PartIndex => openPartIndex(file, { busyMs: 0 })
const ids = (records: readonly { triggerId: string }[]) =>
  records.map(({ triggerId }) => triggerId.slice(4)).join()

/** Parts 1 to n; those that fail have frames. */
function filled(parts: readonly Partial<PartFacts>[]): PartIndex {
  const index = open()
  index.insert(
    parts.map((fields, at) => ({
      facts: factsOf(at + 1, fields),
      files: files({ hasFrames: (fields.outcome ?? 'pass') !== 'pass' }),
    })),
  )
  return index
}

t.test('what is known of a part is found again, also what is not known', (t) => {
  const file = join(t.testdir(), 'index.sqlite')
  const first = open(file)
  const full = factsOf(1, { partId: "Lot 4/7 'ü'", flags: ['few-points', 'captured-late'], degraded: true })
  const bare = without(factsOf(2), 'normality', 'distance', 'repositoryId')
  first.insert([
    { facts: full, files: files() },
    { facts: { ...bare, outcome: 'unknown' }, files: files() },
  ])
  first.close()
  const index = open(file)
  t.same(index.find('run-1'), { ...full, ...files(), confirmed: 'none' })
  t.same(index.find('run-2'), { ...bare, outcome: 'unknown', ...files(), confirmed: 'none' })
  t.equal(index.find('run-3'), undefined)
  index.close()
  t.end()
})

t.test('a part of the same trigger is replaced, and a batch is all or nothing', (t) => {
  const index = filled([{}, { outcome: 'fail' }])
  index.insert([{ facts: factsOf(1, { partId: 'other' }), files: files({ bytes: 7 }) }])
  t.match(index.find('run-1'), { partId: 'other', bytes: 7 })
  const broken = { facts: factsOf(4, { time: 'never' }), files: files() }
  t.throws(() => index.insert([{ facts: factsOf(3), files: files() }, broken]))
  t.same(index.totals(), { parts: 2, rejects: 1, bytes: 107, rejectBytes: 100, confirmedUnused: 0 })
  t.end()
})

t.test('a search holds all that is asked for, newest first', (t) => {
  const index = filled([
    {},
    { outcome: 'fail' },
    { product: 'bolt', outcome: 'fail' },
    { condition: 'rgb-only' },
    { outcome: 'unknown', condition: 'none' },
  ])
  index.confirm(['run-2'], { as: 'accepted', who: 'eve', why: 'dust', timeMs: START })
  index.confirm(['run-4'], { as: 'lot', who: 'line', why: 'lot 9', timeMs: START })
  index.markUsed(['run-4'], 'candidate-1')
  const found = (query: Parameters<PartIndex['search']>[0]) => ids(index.search(query))
  t.equal(found({ limit: 10 }), '5,4,3,2,1')
  t.equal(found({ limit: 2 }), '5,4')
  t.equal(found({ product: 'nut', outcome: 'fail', limit: 10 }), '2')
  t.equal(found({ condition: 'rgb-only', limit: 10 }), '4')
  t.equal(found({ confirmed: 'none', limit: 10 }), '5,3,1')
  t.equal(found({ confirmed: 'accepted', limit: 10 }), '2')
  t.equal(found({ used: 'yes', limit: 10 }), '4')
  t.equal(found({ used: 'no', confirmed: 'lot', limit: 10 }), '')
  t.equal(found({ from: timeOf(2), to: timeOf(3), limit: 10 }), '3,2')
  t.equal(found({ from: '2026-03-01T07:02:00+01:00', to: '2026-03-01T06:02:30Z', limit: 10 }), '2')
  t.end()
})

t.test('free text is found in ids and flags; every word must occur, and wildcards mean themselves', (t) => {
  const index = filled([
    { partId: 'Lot 4 nut_7' },
    { partId: 'Lot 4 nutX7', flags: ['few-points', 'captured-late'] },
    { partId: '100%', outcome: 'fail' },
    { partId: 'C:\\parts' },
    { partId: "'; DROP TABLE parts; --" },
  ])
  const found = (text: string) => ids(index.search({ text, limit: 10 }))
  t.equal(found('lot'), '2,1')
  t.equal(found('nut_7'), '1')
  t.equal(found('%'), '3')
  t.equal(found('\\'), '4')
  t.equal(found('4 captured'), '2')
  t.equal(found('points late'), '2')
  t.equal(found('  '), '5,4,3,2,1')
  t.equal(found('RUN-3'), '3')
  t.equal(found("'; DROP"), '5')
  t.equal(found('no such'), '')
  t.equal(found('"'), '')
  t.end()
})

t.test('the last word on a part counts until a repository has learned from it', (t) => {
  const index = filled([{ outcome: 'fail' }, { outcome: 'fail' }])
  const confirm = (triggerIds: string[], as: 'accepted' | 'lot', who: string) =>
    index.confirm(triggerIds, { as, who, why: 'looked at it', timeMs: START })
  t.same(confirm(['run-1', 'run-9'], 'lot', 'line'), ['run-1'])
  t.same(confirm(['run-1'], 'accepted', 'eve'), ['run-1'])
  t.match(index.find('run-1'), {
    confirmed: 'accepted',
    confirmedBy: 'eve',
    confirmedWhy: 'looked at it',
    confirmedAt: '2026-03-01T06:00:00.000Z',
  })
  t.equal(index.totals().confirmedUnused, 1)
  index.markUsed(['run-1'], 'candidate-1')
  t.match(index.find('run-1'), { used: 'candidate-1' })
  t.equal(index.totals().confirmedUnused, 0)
  t.same(confirm(['run-1'], 'lot', 'line'), [])
  t.end()
})

t.test('what one repository has learned from can be learned again, what another has not', (t) => {
  const index = filled([{}, {}, {}, { product: 'bolt' }])
  index.markUsed(['run-1', 'run-4'], 'candidate-1')
  index.markUsed(['run-2'], 'candidate-2')
  index.markUsed(['run-3'], 'refused:gate')
  t.same(index.learnedBy('nut').sort(), ['candidate-1', 'candidate-2'])
  index.reopen('nut', 'candidate-1')
  t.same(
    [1, 2, 3, 4].map((run) => index.find(`run-${run}`)?.used),
    [undefined, 'candidate-2', 'refused:gate', 'candidate-1'],
  )
  t.end()
})

t.test('victims are the oldest, those that are confirmed and not yet learned from last', (t) => {
  const fail = { outcome: 'fail' } as const
  const index = filled([fail, fail, fail, {}, {}, {}, { product: 'bolt' }])
  const reasons = { as: 'accepted', who: 'eve', why: 'dust', timeMs: START } as const
  index.confirm(['run-1', 'run-2', 'run-4'], reasons)
  index.markUsed(['run-2'], 'candidate-1')
  t.equal(ids(index.beyondRecent(3)), '')
  t.equal(ids(index.beyondRecent(1)), '5,6')
  t.equal(ids(index.beyondRecent(0)), '7,5,6,4', 'of each product')
  t.equal(ids(index.beyondBytes(300)), '')
  t.equal(ids(index.beyondBytes(299)), '2')
  t.equal(ids(index.beyondBytes(99)), '2,3,1')
  t.equal(ids(index.olderThan(Date.parse(timeOf(3)))), '2', 'age takes none that is still to be learned from')
  t.equal(ids(index.expendable(250)), '2,3,5')
  t.equal(ids(index.expendable(1e9)), '2,3,5,6,7', 'nor does a full disk')
  index.remove(['run-1', 'run-9'])
  t.equal(index.triggerIdsOf('nut').sort().join(), 'run-2,run-3,run-4,run-5,run-6')
  t.same(index.products().sort(), ['bolt', 'nut'])
  t.end()
})

t.test('many small victims are found as well as few large ones', (t) => {
  const index = open()
  index.insert(
    Array.from({ length: 300 }, (_, at) => ({
      facts: factsOf(at + 1),
      files: files({ hasFrames: true, bytes: 10 }),
    })),
  )
  t.equal(index.beyondBytes(1000).length, 200)
  t.equal(index.beyondBytes(0).length, 300)
  t.end()
})

t.test('scores of good parts are those that passed or were confirmed, newest first', (t) => {
  const index = filled([
    { normality: 0.1 },
    { normality: 0.2, outcome: 'fail' },
    { normality: 0.3, condition: 'rgb-only' },
    { normality: 0.4, product: 'bolt' },
    { normality: 0.5, repositoryId: 'repository-b' },
  ])
  const undecided = without(factsOf(6, { outcome: 'unknown' }), 'normality')
  index.insert([{ facts: undecided, files: files() }, { facts: factsOf(7, { normality: 0.7 }) }])
  const query = { product: 'nut', condition: 'complete', limit: 10 } as const
  t.same(
    index.scores(query).map(({ normality }) => normality),
    [0.7, 0.5, 0.1],
  )
  t.equal(index.find('run-7'), undefined, 'a score needs no files')
  index.confirm(['run-2'], { as: 'accepted', who: 'eve', why: 'dust', timeMs: START })
  index.remove(['run-1', 'run-2', 'run-5'])
  t.equal(ids(index.scores(query)), '7,5,2,1', 'scores outlive the files')
  t.same(index.scores({ ...query, repositoryId: 'repository-b' }), [
    { triggerId: 'run-5', time: timeOf(5), normality: 0.5, distance: 1.5, repositoryId: 'repository-b' },
  ])
  t.equal(ids(index.scores({ ...query, since: timeOf(2) })), '7,5,2')
  t.equal(ids(index.scores({ ...query, limit: 1 })), '7')
  t.end()
})

t.test('scores are bounded, per product and condition', (t) => {
  const index = open()
  index.insert(Array.from({ length: 10_050 }, (_, at) => ({ facts: factsOf(at + 1) })))
  index.insert([{ facts: factsOf(20_000, { condition: 'rgb-only' }) }])
  index.forgetScores()
  const left = index.scores({ product: 'nut', condition: 'complete', limit: 20_000 })
  t.equal(left.length, 10_000)
  t.equal(ids(left.slice(-1)), '51')
  t.equal(index.scores({ product: 'nut', condition: 'rgb-only', limit: 9 }).length, 1)
  t.end()
})
