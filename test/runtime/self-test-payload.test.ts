import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import type { SelfTestFinding, SelfTestReport } from '../../models/self-test.ts'
import { selfTestSchema } from '../../runtime/messages.ts'
import { schemaFiles } from '../../runtime/schema-files.ts'
import { selfTestPayload } from '../../runtime/self-test-payload.ts'

const about = { site: 'plant', station: 'cell', product: 'nut', durationMs: 1200 }
const tested = { repositoryId: 'r', bundleId: 'b', backend: 'cpu' }
const right: SelfTestFinding = {
  partId: 'dent-1',
  label: 'bad',
  defect: 'dent',
  condition: 'complete',
  isWidest: true,
  expected: 'fail',
  outcome: 'fail',
  isRight: true,
  normality: 0.001,
  distance: 7,
  drift: { normality: 0, distance: -0.25 },
}
const wrong: SelfTestFinding = { ...right, outcome: 'pass', isRight: false, detail: 'the verdict is pass' }
const unknown: SelfTestFinding = {
  partId: 'good-1',
  label: 'good',
  condition: 'rgb-only',
  isWidest: false,
  outcome: 'unknown',
  isRight: false,
  detail: 'host-lost: gone',
}

function payloadOf(report: SelfTestReport) {
  const payload: unknown = JSON.parse(JSON.stringify(selfTestPayload(report, about)))
  const ajv = new Ajv2020({ strict: true, formats: { 'date-time': true } })
  const validate = ajv.compile(JSON.parse(schemaFiles().get('selftest.json')!))
  if (!validate(payload)) throw new Error(JSON.stringify(validate.errors))
  return selfTestSchema.parse(payload)
}

t.test('a pass says what was tested, how many bad parts were found and how far scores moved', (t) => {
  t.match(payloadOf({ result: 'pass', findings: [right], tested }), {
    result: 'PASS',
    detail: '1 inspections of 1 golden parts, each as expected',
    parts: 1,
    inspections: 1,
    wrong: 0,
    unknown: 0,
    bad: { parts: 1, found: 1 },
    largestDrift: 0.25,
    failures: [],
    provenance: tested,
    durationMs: 1200,
  })
  t.end()
})

t.test('a fail names what is wrong and what has no verdict', (t) => {
  const payload = payloadOf({ result: 'fail', findings: [wrong, right, unknown], tested })
  t.match(payload, {
    result: 'FAIL',
    detail: '3 inspections of 2 golden parts, 1 wrong and 1 without a verdict',
    bad: { parts: 2, found: 1 },
  })
  t.strictSame(payload.failures, [
    {
      partId: 'dent-1',
      label: 'bad',
      defect: 'dent',
      condition: 'complete',
      expected: 'fail',
      outcome: 'pass',
      score: 0.001,
      drift: -0.25,
      detail: 'the verdict is pass',
    },
    { partId: 'good-1', label: 'good', condition: 'rgb-only', outcome: 'unknown', detail: 'host-lost: gone' },
  ])
  t.end()
})

t.test('a hundred failures are counted and twenty are named', (t) => {
  const payload = payloadOf({ result: 'fail', findings: new Array<SelfTestFinding>(100).fill(wrong), tested })
  t.equal(payload.wrong, 100)
  t.equal(payload.failures.length, 20)
  t.end()
})

t.test('nothing to show to the model is neither a pass nor a fail', (t) => {
  const payload = payloadOf({ result: 'untested', findings: [] })
  t.match(payload, { result: 'UNTESTED', parts: 0, inspections: 0 })
  t.notOk('largestDrift' in payload || 'provenance' in payload)
  t.end()
})
