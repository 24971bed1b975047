import t from 'tap'
import { join } from 'node:path'
import { openSearch } from '../../models/nearest.ts'
import { makeRepository, saveRepository } from '../../models/repository.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { listingJson, listRepositories } from '../../runtime/repository-listing.ts'
import { historyText, listText, showText } from '../../runtime/repository-report.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const first = await taughtRepository(search)
await search.release()
const variant = (seed: number) => makeRepository({ ...first, manifest: { ...first.manifest, seed } })
const by = { product: 'widget', who: 'ana', why: 'lamps were replaced' }
const figures = {
  gate: {
    passed: true,
    unguarded: false,
    checks: [{ name: 'golden-verdicts', passed: true, detail: 'all 2 keep their verdicts' }],
    golden: [
      { label: 'good', outcome: 'pass' },
      { label: 'bad', outcome: 'fail' },
      { label: 'bad', outcome: 'pass' },
    ],
  },
}

t.test('a list says of each what became of it, by the ledger', async (t) => {
  const root = t.testdir()
  const ledger = openLedger(root)
  t.teardown(() => ledger.close())
  const [second, third, fourth, fifth] = [variant(2), variant(3), variant(4), variant(5)]
  for (const repository of [first, second, third, fourth, fifth]) {
    await saveRepository(join(root, 'widget', repository.id), repository)
  }
  ledger.record({ ...by, action: 'candidate', repositoryId: first.id })
  ledger.promote({ ...by, repositoryId: first.id, expectedActive: undefined })
  ledger.record({ ...by, action: 'candidate', repositoryId: second.id, figures })
  ledger.promote({ ...by, repositoryId: second.id, expectedActive: first.id })
  ledger.record({ ...by, action: 'self-test', repositoryId: second.id })
  ledger.record({ ...by, action: 'refused', repositoryId: third.id, why: 'too many rows' })
  ledger.record({ ...by, action: 'import', repositoryId: fourth.id })

  const listings = await listRepositories({ root, product: 'widget', ledger })
  const states = new Map(listings.map(({ id, state }) => [id, state]))
  t.equal(listings[0]?.id, second.id, 'the one in use comes first')
  t.equal(states.get(first.id), 'was-in-use')
  t.equal(states.get(second.id), 'in-use')
  t.equal(states.get(third.id), 'refused')
  t.equal(states.get(fourth.id), 'imported')
  t.equal(states.get(fifth.id), 'not-in-ledger')
  t.match(listingJson(listings[0]!), {
    repositoryId: second.id,
    state: 'in-use',
    who: 'ana',
    why: by.why,
    taught: 6,
    heldOut: 4,
    made: 'taught',
    gate: { passed: true, golden: { right: 2, total: 3 } },
    entries: 3,
  })

  const lines = listText('widget', listings).split('\n')
  t.ok(lines.every((line) => line.length <= 100))
  t.match(lines[3], new RegExp(`^\\*  ${second.id.slice(0, 12)}  .* taught +10 .* 2/3$`))
  t.match(lines[4], /^ {3}in use since .*, ana: lamps were replaced$/)
  t.match(lines.join('\n'), /refused by the gate .*, ana: too many rows/)

  const shown = showText(listings[0]!)
  t.match(shown, `widget ${second.id}`)
  t.match(shown, /gate: passed; 2 of 3 golden verdicts right\n +ok +golden-verdicts +all 2 keep/)
  t.match(shown, /6 taught, 0 accepted and 0 of lots in the banks; 4 more calibrate/)
  t.match(shown, /self-test/)
})

t.test('a repository that cannot be believed is listed as damaged, with the reason', async (t) => {
  const folder = t.testdir({ widget: { ['e'.repeat(64)]: { 'manifest.json': '{}' } } })
  const ledger = openLedger(folder)
  const listings = await listRepositories({ root: folder, product: 'widget', ledger })
  const text = listText('widget', listings)
  t.match(text, /^ {3}manifest\.json is no repository manifest/m)
  t.match(text, /^ {3}eeeeeeeeeeee +\S+ \S+ +DAMAGED/m)
  t.match(showText(listings[0]!), /DAMAGED:[^]*no\s+repository\s+manifest/)
  t.match(listingJson(listings[0]!), { problem: /no repository manifest/, state: 'not-in-ledger' })
})

t.test('nothing is said where there is nothing, and what others wrote cannot spoil a line', async (t) => {
  const root = t.testdir()
  const ledger = openLedger(root)
  t.teardown(() => ledger.close())
  t.match(listText('widget', []), /radar-edge teach --product widget/)
  t.equal(historyText([]), 'nothing has happened yet\n')
  ledger.record({ ...by, action: 'alarm', who: 'x\u001b[2J', why: `${'long '.repeat(50)}\nline` })
  const lines = historyText(ledger.history({ limit: 5 }))
    .trimEnd()
    .split('\n')
  t.equal(lines.length, 2)
  t.ok(lines.every((line) => line.length <= 100 && !line.includes('\u001b')))
})
