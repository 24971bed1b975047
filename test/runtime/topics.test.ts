import t from 'tap'
import { topicsOf } from '../../runtime/topics.ts'

t.test('topics stand under site and station', (t) => {
  const topics = topicsOf('plant-1', 'cell_3')
  t.equal(topics.verdict, 'radar/v1/plant-1/cell_3/verdict')
  t.equal(topics.heatmap(12), 'radar/v1/plant-1/cell_3/heatmap/12')
  t.equal(topics.command('trigger'), 'radar/v1/plant-1/cell_3/cmd/trigger')
  t.equal(topics.reply('trigger'), 'radar/v1/plant-1/cell_3/reply/trigger')
  t.end()
})

t.test('a name that would be a wildcard, a second level or nothing is refused', (t) => {
  for (const name of ['', 'a/b', '+', 'a#', '$SYS', 'a\nb', 'x'.repeat(65), '\u0000']) {
    t.throws(() => topicsOf(name, 'station'), { code: 'BAD_TOPIC' }, JSON.stringify(name))
    t.throws(() => topicsOf('site', name), { code: 'BAD_TOPIC' })
    t.throws(() => topicsOf('site', 'station').command(name), { code: 'BAD_TOPIC' })
  }
  t.end()
})
