import t from 'tap'
import { openSearch } from '../../models/nearest.ts'
import { repositoryDiff } from '../../models/repository-diff.ts'
import { makeRepository } from '../../models/repository.ts'
import { diffText, showText } from '../../runtime/repository-report.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const before = await taughtRepository(search)
await search.release()
const { manifest } = before
const sixty = Array.from({ length: 30 }, (_, i) => ({
  id: `part \u001b[2J ${i}`,
  sha256: String(i).padStart(64, '0'),
  origin: 'lot' as const,
}))
const after = makeRepository({
  ...before,
  manifest: {
    ...manifest,
    taught: [...manifest.taught, ...sixty],
    engine: 'tensorrt/fp16',
    parent: before.id,
  },
})

t.test('a diff fits in 100 columns and names what came, up to a bound', async (t) => {
  const text = diffText('widget', repositoryDiff(before, after))
  t.ok(text.split('\n').every((line) => line.length <= 100 && !line.includes('\u001b')))
  t.match(text, /^widget: [0-9a-f]{12} -> [0-9a-f]{12}$/m)
  t.match(text, /parts in the banks: 6 kept, 30 added, 0 dropped/)
  t.match(text, /\+ part \[2J 0 \(lot\)/)
  t.match(text, /\+ and 10 more/)
  t.match(text, /engine +onnxruntime-cpu\/fp32 -> tensorrt\/fp16/)
  t.notMatch(text, /scaled anew/)
  const scales = { ...manifest.scales, rgb: { mean: 9, std: 9 } }
  const otherScales = makeRepository({ ...before, manifest: { ...manifest, scales } })
  t.match(diffText('widget', repositoryDiff(before, otherScales)), /scaled anew: no row/)
})

t.test('all about one says what it was made from and wraps its warnings', async (t) => {
  const warned = { ...after.manifest, made: 'updated' as const, warnings: ['a word '.repeat(40)] }
  const text = showText({
    product: 'widget',
    id: after.id,
    folder: '/state/widget',
    bytes: 3 * 2 ** 20,
    writtenAt: new Date(),
    madeAt: '2026-11-28T01:00:00Z',
    state: 'candidate',
    history: [],
    manifest: warned,
  })
  t.ok(text.split('\n').every((line) => line.length <= 100))
  t.match(text, new RegExp(`made +updated from ${before.id.slice(0, 12)}`))
  t.match(text, /6 taught, 0 accepted and 30 of lots/)
  t.match(text, /^ {2}warning: a word/m)
})
