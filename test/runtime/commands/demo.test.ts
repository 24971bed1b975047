import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { verdictSchema, type VerdictPayload } from '../../../runtime/messages.ts'
import { jsonLines, radarEdge } from '../../support/command-line.ts'

interface Summary {
  readonly verdicts: number
  readonly outcomes: Record<string, number>
  readonly conditions: Record<string, number>
  readonly defects: Record<'parts' | 'detected' | 'missed' | 'unknown', number>
  readonly goods: Record<'parts' | 'passed' | 'falseRejects' | 'unknown', number>
  readonly latencyMs: Record<'p50' | 'p95' | 'worst', number>
  readonly firstVerdictMs: number
  readonly rssMebibytes: Record<'daemon' | 'host', Record<'early' | 'late' | 'most', number>>
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

t.test(
  'the demo: one JSON line a verdict, the 3D sensor gone in the middle, a summary that adds up',
  async (t) => {
    const save = join(t.testdir(), 'overlays')
    const small = ['--parts', '6', '--teach-parts', '8', '--size', '160', '--seed', '2']
    const ended = await radarEdge(['demo', ...small, '--save', save, '--json'])
    t.match(ended, { code: 0, signal: null })
    const lines = jsonLines(ended)
    const { summary } = lines.pop() as { summary: Summary }
    const verdicts = lines as (VerdictPayload & { truth?: string })[]

    for (const verdict of verdicts) t.ok(verdictSchema.safeParse(verdict).success)
    t.same(
      verdicts.map(({ seq }) => seq),
      [1, 2, 3, 4, 5, 6],
    )
    t.match(
      verdicts.slice(2, 4).map(({ modalities }) => modalities.xyz),
      [
        { state: 'missing', reason: 'lost' },
        { state: 'missing', reason: 'lost' },
      ],
      'parts 3 and 4 of 6 are the middle third',
    )
    t.not(verdicts[1]?.condition, 'rgb-only', 'the sensor was there before')
    t.ok(verdicts.slice(2, 4).every(({ degraded }) => degraded))
    t.ok(verdicts.every(({ truth }) => typeof truth === 'string'))

    t.equal(summary.verdicts, 6)
    t.equal(sum(summary.outcomes), 6)
    t.equal(sum(summary.conditions), 6)
    t.ok((summary.conditions['rgb-only'] ?? 0) >= 2)
    const { defects, goods } = summary
    t.equal(defects.parts + goods.parts, 6)
    t.equal(defects.detected + defects.missed + defects.unknown, defects.parts)
    t.equal(goods.passed + goods.falseRejects + goods.unknown, goods.parts)
    t.equal(goods.parts, verdicts.filter(({ truth }) => truth === 'good').length)
    t.equal(defects.detected + goods.falseRejects, summary.outcomes['fail'] ?? 0)
    t.ok(summary.latencyMs.p50 <= summary.latencyMs.p95 && summary.latencyMs.p95 <= summary.latencyMs.worst)
    t.ok(summary.firstVerdictMs > 0 && summary.rssMebibytes.host.most > 0)

    const shown = verdicts.filter(({ outcome }) => outcome !== 'unknown')
    t.equal((await readdir(save)).length, shown.length, 'an overlay for every part that was decided')
  },
)

t.test('Ctrl-C during the inspection ends it cleanly, with the summary of what there is', async (t) => {
  const many = ['--parts', '100000', '--teach-parts', '4', '--size', '64']
  const ended = await radarEdge(['demo', ...many, '--json'], (child) => {
    child.stdout?.once('data', () => child.kill('SIGINT'))
  })
  t.match(ended, { code: 0, signal: null })
  const lines = jsonLines(ended)
  const { summary } = lines.pop() as { summary: Summary }
  t.equal(summary.verdicts, lines.length)
  t.ok(lines.length > 0)
})

t.test('Ctrl-C while it is taught ends it with the code of the signal, and without a stack', async (t) => {
  const ended = await radarEdge(['demo', '--teach-parts', '500', '--size', '64'], (child) => {
    child.stderr?.once('data', () => child.kill('SIGINT'))
  })
  t.match(ended, { code: 130, signal: null })
  t.notMatch(ended.stderr, /\n\s+at /)
})
