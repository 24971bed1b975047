import t from 'tap'
import { initialHealth, nextHealth, type HealthEvent, type HealthState } from '../../drivers/health.ts'

const limits = { degradedAfter: 2, lostAfter: 4, okAfter: 3 }
const trouble = { code: 'DRIVER_TIMEOUT', detail: 'no frame' } as const
const events: Record<string, HealthEvent> = {
  o: { kind: 'opened' },
  g: { kind: 'good' },
  m: { kind: 'missed', trouble },
  r: { kind: 'rejected', trouble },
  l: { kind: 'lost', trouble },
}

/** Health after a word of events, one letter and one millisecond each. */
function after(word: string) {
  let health = initialHealth('top', 'xyz', 0)
  ;[...word].forEach((letter, index) => {
    health = nextHealth(health, events[letter]!, { nowMs: index + 1, limits })
  })
  return health
}

t.test('each edge of the state diagram', async (t) => {
  const table: [word: string, state: HealthState, edge: string][] = [
    ['', 'starting', 'before anything happened'],
    ['o', 'starting', 'open is not yet good'],
    ['og', 'ok', 'the first good frame'],
    ['l', 'lost', 'not opened'],
    ['omm', 'starting', 'misses before the first good frame'],
    ['ommmm', 'lost', 'opened, but never a frame'],
    ['ogm', 'ok', 'one miss is not yet degraded'],
    ['ogmgm', 'ok', 'misses count in a row'],
    ['ogmm', 'degraded', 'misses up to the limit'],
    ['ogmmgg', 'degraded', 'not yet enough good frames'],
    ['ogmmggmggg', 'ok', 'good frames count in a row'],
    ['ogmmmm', 'lost', 'misses up to the second limit'],
    ['ogl', 'lost', 'the device is gone'],
    ['oglm', 'lost', 'a late miss changes nothing'],
    ['oglg', 'lost', 'a late good frame changes nothing'],
    ['oglo', 'starting', 'reopened'],
    ['oglog', 'ok', 'recovered'],
    ['ogmmmomm', 'starting', 'a reopening forgets the misses before it'],
    ['ogrrrrrrr', 'degraded', 'a covered lens degrades, but a reopening would not help'],
    ['ogrmrmrmrm', 'lost', 'rejected frames between misses do not hide them'],
  ]
  for (const [word, state, edge] of table) t.equal(after(word).state, state, `${word || '-'}: ${edge}`)
})

t.test('it says since when, and what the trouble is until it is over', async (t) => {
  t.match(after('ogmmg'), { sinceMs: 4, trouble, misses: 0, goods: 1 })
  t.match(after('ogmmggg'), { state: 'ok', sinceMs: 7, trouble: undefined })
  t.match(after('ogl'), { sinceMs: 3, trouble })
  t.match(after('oglo'), { state: 'starting', trouble })
})
