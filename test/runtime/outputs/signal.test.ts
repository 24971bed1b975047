import t from 'tap'
import { signalOf, type Signal } from '../../../runtime/outputs/signal.ts'

t.test('what the line is told of a verdict', async (t) => {
  type Row = ['pass' | 'fail' | 'unknown', 'accept' | 'reject' | 'review', Signal, Signal, Signal]
  const rows: Row[] = [
    ['pass', 'accept', 'reject', 'reject', 'accept'],
    ['fail', 'reject', 'accept', 'accept', 'reject'],
    ['unknown', 'review', 'reject', 'accept', 'reject'],
    ['unknown', 'review', 'nothing', 'accept', 'nothing'],
    ['unknown', 'reject', 'accept', 'accept', 'reject'],
    ['pass', 'review', 'accept', 'reject', 'reject'],
    ['fail', 'review', 'reject', 'nothing', 'nothing'],
  ]
  for (const [outcome, action, unknown, review, told] of rows) {
    t.equal(signalOf({ outcome, action }, { unknown, review }), told, `${outcome}, ${action}`)
  }
})
