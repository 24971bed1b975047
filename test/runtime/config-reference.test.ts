import t from 'tap'
import { readFile } from 'node:fs/promises'
import { configReference } from '../../runtime/config-reference.ts'

t.test('docs/config.md is what the schema says (write it again with `npm run docs`)', async (t) => {
  t.equal(await readFile(new URL('../../docs/config.md', import.meta.url), 'utf8'), configReference())
})

t.test('every section and every kind of trigger has its rows', async (t) => {
  const page = configReference()
  for (const key of [
    'station.site',
    'sensors.xyz.faults[].kind',
    'triggers[].everyMs',
    'recipes.<product>.policy.rgb-only',
  ]) {
    t.match(page, `| \`${key}\` |`)
  }
})
