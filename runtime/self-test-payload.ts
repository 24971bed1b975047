/** What the station says of a golden self-test. */
import type { SelfTestFinding, SelfTestReport } from '../models/self-test.ts'
import { isoTime, type SelfTestPayload } from './messages.ts'

const MOST_FAILURES = 20

export function selfTestPayload(
  { findings, result, tested }: SelfTestReport,
  about: {
    readonly site: string
    readonly station: string
    readonly product: string
    readonly durationMs: number
  },
): SelfTestPayload {
  const { site, station, product, durationMs } = about
  const failures = findings.filter(({ isRight }) => !isRight)
  const unknown = failures.filter(({ outcome }) => outcome === 'unknown').length
  const bad = findings.filter(({ label, isWidest }) => label === 'bad' && isWidest)
  const found = bad.filter(({ outcome }) => outcome === 'fail').length
  const drifts = findings.flatMap(({ drift }) => (drift ? [Math.abs(drift.distance)] : []))
  const parts = new Set(findings.map(({ partId }) => partId)).size
  const counted = `${findings.length} inspections of ${parts} golden parts`
  const detail = {
    pass: `${counted}, each as expected`,
    fail: `${counted}, ${failures.length - unknown} wrong and ${unknown} without a verdict`,
    untested: 'there are no golden parts',
  }[result]
  return {
    schema: 'radar-edge/selftest@1',
    site,
    station,
    time: isoTime(),
    product,
    result: ({ pass: 'PASS', fail: 'FAIL', untested: 'UNTESTED' } as const)[result],
    detail,
    durationMs,
    parts,
    inspections: findings.length,
    wrong: failures.length - unknown,
    unknown,
    bad: { parts: bad.length, found },
    ...(drifts.length > 0 && { largestDrift: Math.max(...drifts) }),
    failures: failures.slice(0, MOST_FAILURES).map(failureOf),
    ...(tested && { provenance: { ...tested } }),
  }
}

function failureOf(finding: SelfTestFinding): SelfTestPayload['failures'][number] {
  const { partId, label, defect, condition, expected, outcome, normality, drift, detail = '' } = finding
  return {
    partId,
    label,
    ...(defect !== undefined && { defect }),
    condition,
    ...(expected !== undefined && { expected }),
    outcome,
    ...(normality !== undefined && { score: normality }),
    ...(drift && { drift: drift.distance }),
    detail,
  }
}
