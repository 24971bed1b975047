import t from 'tap'
import { getTasks } from 'node-cron'
import { cronProblem, parseCron } from '../../runtime/cron.ts'

// Summer time from 29 March, 2:00 to 25 October 2026, 3:00. Nothing has asked for the zone yet.
process.env.TZ = 'Europe/Berlin'

const ms = (text: string) => new Date(text).getTime()

/** The next few times, in local time. */
function nextOf(expression: string, after: string, count = 3): string[] {
  const cron = parseCron(expression)
  const found: string[] = []
  let at = ms(after)
  while (found.length < count) {
    at = cron.next(at)!
    found.push(new Date(at).toLocaleString('sv-SE').slice(0, 16))
  }
  return found
}

t.test('the next time lies after the given one, to the minute', (t) => {
  t.same(nextOf('0 6,14,22 * * *', '2026-11-28T05:59:59'), [
    '2026-11-28 06:00',
    '2026-11-28 14:00',
    '2026-11-28 22:00',
  ])
  t.same(nextOf('*/10 * * * *', '2026-11-28T23:40:00'), [
    '2026-11-28 23:50',
    '2026-11-29 00:00',
    '2026-11-29 00:10',
  ])
  t.same(nextOf('0 3 * * 0', '2026-11-28T12:00:00', 2), ['2026-11-29 03:00', '2026-12-06 03:00'])
  t.same(nextOf('30,10 4 1 jan *', '2026-11-28T12:00:00', 2), ['2027-01-01 04:10', '2027-01-01 04:30'])
  t.same(nextOf('0 0 29 2 *', '2026-11-28T12:00:00', 2), ['2028-02-29 00:00', '2032-02-29 00:00'])
  t.same(nextOf('0 0 L * ?', '2026-11-28T12:00:00', 2), ['2026-11-30 00:00', '2026-12-31 00:00'])
  t.end()
})

t.test('a time that summer time skips comes an hour later, one that comes twice counts once', (t) => {
  t.same(nextOf('30 2 * * *', '2026-03-28T12:00:00', 2), ['2026-03-29 03:30', '2026-03-30 02:30'])
  t.same(nextOf('30 2 * * *', '2026-10-24T12:00:00', 2), ['2026-10-25 02:30', '2026-10-26 02:30'])
  const [first, second] = [
    parseCron('30 2 * * *').next(ms('2026-10-24T12:00:00'))!,
    ms('2026-10-26T02:30:00'),
  ]
  t.equal((second - first) / 3_600_000, 25)
  t.same(nextOf('0,30 2,3 * * *', '2026-03-29T01:00:00', 3), [
    '2026-03-29 03:00',
    '2026-03-29 03:30',
    '2026-03-30 02:00',
  ])
  t.end()
})

t.test('the next time is found at once, from 1970 and a century away', (t) => {
  const startedMs = performance.now()
  for (const expression of ['* * * * *', '*/10 * * * *', '* * 1 1 *', '0 0 29 2 0']) {
    const cron = parseCron(expression)
    for (const after of ['1970-01-01T00:00:00', '2026-11-28T00:00:00', '2090-01-01T00:00:00']) {
      const next = cron.next(ms(after))!
      t.ok(next > ms(after), expression)
      t.equal(cron.next(next - 1), next)
    }
  }
  t.ok(performance.now() - startedMs < 10_000)
  t.equal(getTasks().size, 0, 'nothing is left with the library')
  t.end()
})

t.test('a bad expression is named with what is wrong', (t) => {
  for (const good of ['0 2 * * *', '*/10 * * * *', '0 6,14,22 * * mon-fri', ' 0  3 * *  0 ']) {
    t.equal(cronProblem(good), undefined, good)
  }
  for (const [bad, problem] of [
    ['61 * * * *', /minute/],
    ['0 25 * * *', /hour/],
    ['0 0 31 2 *', /impossible day/],
    ['0 0 * * someday', /week day/],
    ['daily', /has 1 fields, expected five/],
    ['0 0 2 * * *', /has 6 fields, expected five/],
    ['@daily', /expected five/],
    ['', /expected five/],
    ['0 0 * * $', /illegal/],
  ] as const) {
    t.match(cronProblem(bad), problem, bad)
  }
  t.end()
})
