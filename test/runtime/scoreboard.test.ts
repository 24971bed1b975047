import { join } from 'node:path'
import t from 'tap'
import { openScoreboard } from '../../runtime/scoreboard.ts'
import { makeDecided, makePayload, makeSample } from '../support/inspected.ts'

const about = { sample: makeSample(), inspection: makeDecided(), running: undefined }

t.test(
  'the summary counts outcomes, conditions and the time from trigger to published verdict',
  async (t) => {
    const { lines, restore } = captured()
    t.teardown(restore)
    const board = openScoreboard({ json: true })
    board.asked('run-1', performance.now() - 100)
    board.judged(makePayload({ seq: 1, triggerId: 'run-1' }), about)
    board.judged(makePayload({ seq: 2, triggerId: 'run-2', outcome: 'unknown', condition: 'none' }), about)
    board.published(1)
    await board.finish()
    restore()
    const [first, second, last] = lines().map((line) => JSON.parse(line) as Record<string, never>)
    t.match([first, second], [{ seq: 1 }, { seq: 2 }])
    t.match(last, {
      summary: {
        verdicts: 2,
        outcomes: { pass: 1, unknown: 1 },
        conditions: { complete: 1, none: 1 },
        goods: { parts: 0 },
      },
    })
    const { p50 } = (last as unknown as { summary: { latencyMs: { p50: number } } }).summary.latencyMs
    t.ok(p50 >= 100 && p50 < 60_000, `${p50} ms`)
  },
)

t.test('an overlay that cannot be saved fails the command at its end, not in the middle', async (t) => {
  const { lines, restore } = captured()
  t.teardown(restore)
  const board = openScoreboard({ json: true, save: join(t.testdir(), 'absent') })
  board.judged(makePayload({ seq: 1 }), about)
  board.judged(makePayload({ seq: 2 }), about)
  await t.rejects(board.finish(), { code: 'ENOENT' })
  restore()
  t.equal(lines().length, 2, 'both verdicts are out')
})

/** The JSON lines that are written to standard output meanwhile; tap's own go on. */
function captured() {
  const write = process.stdout.write.bind(process.stdout)
  const lines: string[] = []
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    const text = String(chunk)
    if (!text.startsWith('{')) return write(chunk)
    lines.push(text)
    return true
  }
  return { lines: () => lines, restore: () => void (process.stdout.write = write) }
}
