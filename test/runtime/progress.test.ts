import t from 'tap'
import { formatProgress, progressLine } from '../../runtime/progress.ts'

/** A stream that only remembers, with a clock that is set by hand. */
function makeLine({ isTTY }: { isTTY: boolean }) {
  const written: string[] = []
  let nowMs = 0
  const stream = { isTTY, write: (text: string) => written.push(text) > 0 }
  const line = progressLine(stream as unknown as NodeJS.WriteStream, () => nowMs)
  return { line, written, at: (ms: number) => void (nowMs = ms) }
}

t.test('progress says how far, and how long still once that is known', async (t) => {
  const cases: [done: number, total: number, elapsedMs: number, text: string][] = [
    [0, 60, 5000, 'work 0/60 (0 %)'],
    [12, 60, 900, 'work 12/60 (20 %)'],
    [12, 60, 2000, 'work 12/60 (20 %), 8 s left'],
    [59, 60, 59_000, 'work 59/60 (98 %), 1 s left'],
    [60, 60, 60_000, 'work 60/60 (100 %)'],
    [0, 0, 1000, 'work'],
  ]
  for (const [done, total, elapsedMs, text] of cases) {
    t.equal(formatProgress({ phase: 'work', done, total }, elapsedMs), text)
    const note = 'novelty 14 %'
    t.equal(formatProgress({ phase: 'work', done, total, note }, elapsedMs), `${text}, ${note}`)
  }
})

t.test('a terminal shows one line, rewritten ten times a second at most', async (t) => {
  const { line, written, at } = makeLine({ isTTY: true })
  for (let done = 0; done <= 10; done++) {
    at(done * 30)
    line.update({ phase: 'work', done, total: 10 })
  }
  line.finish()
  line.finish()
  t.same(
    written.map((text) => /\d+\/10/.exec(text)?.[0] ?? text),
    ['0/10', '4/10', '8/10', '10/10', '\n'],
  )
  for (const text of written.slice(0, -1)) t.match(text, /^\r\u001b\[2K[^\n]*$/)
})

t.test('a log has a line every five seconds, at every new phase and at its end', async (t) => {
  const { line, written, at } = makeLine({ isTTY: false })
  for (let second = 0; second <= 12; second++) {
    at(second * 1000)
    line.update({ phase: 'first', done: second, total: 12 })
  }
  line.update({ phase: 'second', done: 0, total: 3 })
  line.finish()
  t.same(
    written.map((text) => text.split(' (')[0]),
    ['first 0/12', 'first 5/12', 'first 10/12', 'first 12/12', 'second 0/3'],
  )
  t.ok(written.every((text) => text.endsWith('\n')))
})
