import t from 'tap'
import { csvReport } from '../../../models/bench/miiad-csv.ts'
import { cell } from '../../support/miiad-cells.ts'

t.test('one row per cell under one head; what is undefined is empty', async (t) => {
  const decisions = {
    'rgb-only': {
      good: { parts: 4, rejected: 1, scores: [] },
      defective: { parts: 3, rejected: 2, scores: [] },
    },
  }
  const [head, first, second, ...rest] = csvReport([
    cell({ method: 'radar', decisions }),
    cell({ method: 'rgb-only', on: 'rgb', imageAuroc: null, category: 'a "b", c' }),
  ]).split('\r\n')
  t.same(rest, [''])
  const columns = head!.split(',')
  const at = (line: string, name: string) => line.split(',')[columns.indexOf(name)]
  t.match(first, /^1,nut,xyz,0\.3,both,radar,all,20,30,0\.9,/)
  t.equal(at(first!, 'rgb_only_good_rejected'), '1')
  t.equal(at(first!, 'rgb_only_defective_parts'), '3')
  t.equal(at(first!, 'complete_good_parts'), '')
  t.match(second, /^1,"a ""b"", c",xyz,0\.3,both,rgb-only,rgb,20,30,,,,0\.8,/)
})
