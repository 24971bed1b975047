/**
 * What stands between a candidate and the line: golden parts, good and bad, keep their verdicts in every condition that the station can
 * fall back to, good parts are not rejected more often than promised, and nothing is in the banks that nobody vouches for. The report
 * says all of it, whether the candidate passed or not.
 */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import { conclude, type Judgement } from './judge.ts'
import type { Comparer } from './comparison.ts'
import { BANK_KEYS, type Features } from './features.ts'
import { ModelError } from './model-error.ts'
import { canNarrow, narrowed } from './narrow.ts'
import type { Repository } from './repository.ts'
import { findingsIn } from './normals.ts'
import { featuresHash } from './teach.ts'

/** A part whose truth a person has vouched for. It is never in a bank. */
export interface GoldenPart {
  readonly partId: string
  readonly label: 'good' | 'bad'
  /** What is wrong with a bad one. */
  readonly defect?: string
  readonly features: Features
}

export interface GoldenVerdict extends Pick<Judgement, 'normality' | 'distance'> {
  readonly outcome: 'pass' | 'fail'
}

export interface GoldenJudgement extends GoldenVerdict {
  readonly partId: string
  readonly label: GoldenPart['label']
  readonly defect?: string
  readonly condition: DecidableCondition
  /** It was captured with no more than this: here it is what the line would have seen of it. */
  readonly isWidest: boolean
}

export interface GateLimits {
  /** Least share of the bad golden parts that must fail, each seen with all that it was captured with. */
  readonly leastDetection: number
  /** So many golden verdicts may turn wrong. */
  readonly mostFlips: number
}

export interface GateOptions {
  /** The repository in use; absent when the product has none yet. */
  readonly active?: Repository | undefined
  readonly goldens: readonly GoldenPart[]
  readonly comparer: Comparer
  readonly limits: GateLimits
  /**
   * SHA-256 (featuresHash) of every part that somebody vouches for, beside those of the active repository. Without it the parts of the
   * candidate are believed, as at teaching.
   */
  readonly knownParts?: ReadonlySet<string> | undefined
  readonly signal?: AbortSignal | undefined
}

export type GateCheckName =
  'golden-verdicts' | 'golden-detection' | 'golden-apart' | 'false-rejects' | 'byte-budget' | 'rows'

export interface GateCheck {
  readonly name: GateCheckName
  readonly passed: boolean
  /** One sentence for a person. */
  readonly detail: string
}

export interface GoldenReport extends Omit<GoldenJudgement, keyof GoldenVerdict> {
  readonly after: GoldenVerdict
  /** Under the repository in use. */
  readonly before?: GoldenVerdict
  /** After less before; negative normality and positive distance: it looks odder now. */
  readonly drift?: Pick<Judgement, 'normality' | 'distance'>
}

export interface GateReport {
  /** All checks passed. */
  readonly passed: boolean
  /** No bad golden part guards what the product's defects look like. */
  readonly unguarded: boolean
  readonly checks: readonly GateCheck[]
  readonly golden: readonly GoldenReport[]
}

/** Parts that a sentence names; the report has them all. */
const MOST_NAMED = 5

/**
 * Every golden part in every condition that it was captured with the modalities of.
 * @throws ModelError as `judge`, with the part's id in the message. Rejects with the signal's reason.
 */
export async function judgeGolden(
  goldens: readonly GoldenPart[],
  repository: Repository,
  { comparer, signal }: { readonly comparer: Comparer; readonly signal?: AbortSignal | undefined },
): Promise<GoldenJudgement[]> {
  const { manifest, banks, foregroundPrior } = repository
  const taught = { bankOf: (key: keyof typeof banks) => banks[key], scales: manifest.scales, foregroundPrior }
  const judgements: GoldenJudgement[] = []
  for (const { partId, label, defect, features } of goldens) {
    signal?.throwIfAborted()
    try {
      const found = await findingsIn(DECIDABLE_CONDITIONS, features, { ...taught, ...comparer })
      for (const [condition, findings] of found) {
        const { normality, distance } = conclude(findings, manifest.heads[condition])
        judgements.push({
          partId,
          label,
          ...(defect !== undefined && { defect }),
          condition,
          isWidest: condition === features.condition,
          normality,
          distance,
          outcome: normality < manifest.falseRejectRate ? 'fail' : 'pass',
        })
      }
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      throw new ModelError(error.code, `golden part '${partId}': ${error.message}`, { cause: error })
    }
  }
  return judgements
}

/** @throws ModelError when a golden part cannot be judged at all, e.g. because its features are of another bundle. */
export async function gate(candidate: Repository, options: GateOptions): Promise<GateReport> {
  const { active, goldens, limits } = options
  const after = await judgeGolden(goldens, candidate, options)
  const before = active && (await judgeGolden(goldens, active, options))
  const golden = after.map((judgement, i) => reportOf(judgement, before?.[i]))
  const checks = [
    before ? checkFlips(golden, limits) : checkFirst(golden, limits),
    checkDetection(golden, limits),
    checkApart(candidate, goldens),
    checkFalseRejects(candidate),
    checkByteBudget(candidate),
    checkRows(candidate, options),
  ]
  return {
    passed: checks.every(({ passed }) => passed),
    unguarded: !goldens.some(({ label }) => label === 'bad'),
    checks,
    golden,
  }
}

function reportOf({ normality, distance, outcome, ...part }: GoldenJudgement, before?: GoldenJudgement) {
  const report: GoldenReport = {
    ...part,
    after: { outcome, normality, distance },
    ...(before && {
      before: { outcome: before.outcome, normality: before.normality, distance: before.distance },
      drift: { normality: normality - before.normality, distance: distance - before.distance },
    }),
  }
  return report
}

/**
 * What was wrong before may stay wrong: a defect that a condition cannot see is not the candidate's fault. And where the repository in use
 * does not find the recipe's share of the bad golden parts, its right verdicts are luck: to keep them would refuse every update of a product
 * whose 3D, say, shows little, for the sake of a coin that fell well once. They are reported, and do not count.
 */
function checkFlips(golden: readonly GoldenReport[], { mostFlips, leastDetection }: GateLimits): GateCheck {
  const luck = DECIDABLE_CONDITIONS.filter((condition) => {
    const bad = golden.filter((part) => part.label === 'bad' && part.condition === condition)
    const found = bad.filter(({ before }) => before?.outcome === 'fail').length
    return bad.length > 0 && found < leastDetection * bad.length
  })
  const right = golden.filter(
    ({ label, before, condition }) => before && isRight(label, before) && !luck.includes(condition),
  )
  const flipped = right.filter(({ label, after }) => !isRight(label, after))
  const without =
    luck.length === 0 ? '' : ` (not counted: ${luck.join(' and ')}, where too few bad ones are found)`
  const found = `of ${right.length} golden verdicts that were right ${flipped.length} became wrong, at most ${mostFlips} may${without}`
  return verdictsCheck(golden, { wrong: flipped, mostFlips, found })
}

/** The first repository of a product has no verdicts to keep: its good golden parts must pass. Bad ones are counted by the detection. */
function checkFirst(golden: readonly GoldenReport[], { mostFlips }: GateLimits): GateCheck {
  const good = golden.filter(({ label, isWidest }) => label === 'good' && isWidest)
  const wrong = good.filter(({ label, after }) => !isRight(label, after))
  const found = `of ${good.length} good golden parts ${wrong.length} failed, at most ${mostFlips} may`
  return verdictsCheck(golden, { wrong, mostFlips, found })
}

function verdictsCheck(
  golden: readonly GoldenReport[],
  {
    wrong,
    mostFlips,
    found,
  }: { readonly wrong: readonly GoldenReport[]; readonly mostFlips: number; readonly found: string },
): GateCheck {
  const name = 'golden-verdicts'
  if (golden.length === 0) {
    return { name, passed: true, detail: 'there are no golden parts: no verdict was checked' }
  }
  return { name, passed: wrong.length <= mostFlips, detail: found + listed(wrong.map(sentenceOf)) }
}

function checkDetection(golden: readonly GoldenReport[], { leastDetection }: GateLimits): GateCheck {
  const name = 'golden-detection'
  const bad = golden.filter(({ label, isWidest }) => label === 'bad' && isWidest)
  if (bad.length === 0) {
    return { name, passed: true, detail: 'there are no bad golden parts: detection was not checked' }
  }
  const missed = bad.filter(({ after }) => after.outcome === 'pass')
  const share = (bad.length - missed.length) / bad.length
  const found = `${bad.length - missed.length} of ${bad.length} bad golden parts are found (${figure(share)}), at least ${leastDetection} must be`
  return { name, passed: share >= leastDetection, detail: found + listed(missed.map(sentenceOf)) }
}

/** A bad part is a bad part with fewer sensors, too; as a good one it would teach its defect or stretch the threshold over it. */
function checkApart({ manifest }: Repository, goldens: readonly GoldenPart[]): GateCheck {
  const idOf = new Map<string, string>()
  for (const { partId, label, features } of goldens) {
    if (label !== 'bad') continue
    for (const condition of DECIDABLE_CONDITIONS) {
      if (canNarrow(features.condition, condition))
        idOf.set(featuresHash(narrowed(features, condition)), partId)
    }
  }
  const inside = [...manifest.taught, ...manifest.heldOut].filter(({ sha256 }) => idOf.has(sha256))
  const names = inside.map(({ id, sha256 }) => `'${id}' is golden part '${idOf.get(sha256)}'`)
  const found = `${inside.length} of the parts that the candidate was made from are bad golden parts`
  return { name: 'golden-apart', passed: inside.length === 0, detail: found + listed(names) }
}

function checkFalseRejects({ manifest }: Repository): GateCheck {
  const { falseRejectRate, heads } = manifest
  const perThousand = (share: number): string => (1000 * share).toFixed(1)
  const broken = DECIDABLE_CONDITIONS.filter(
    (condition) => falseRejectRate < heads[condition].calibration.predictedFalseRejects.lower,
  )
  const rates = DECIDABLE_CONDITIONS.map((condition) => {
    const { rate, lower, upper } = heads[condition].calibration.predictedFalseRejects
    return `${perThousand(rate)} (${perThousand(lower)} to ${perThousand(upper)}) as ${condition}`
  })
  const found = `of 1000 good parts ${perThousand(falseRejectRate)} may fail, predicted: ${rates.join(', ')}`
  const where = broken.length === 0 ? '' : `: more than promised as ${broken.join(' and ')}`
  return { name: 'false-rejects', passed: broken.length === 0, detail: found + where }
}

function checkByteBudget({ manifest, banks }: Repository): GateCheck {
  const bytes = BANK_KEYS.reduce((sum, key) => sum + banks[key].values.byteLength, 0)
  const detail = `the banks have ${bytes} bytes of ${manifest.byteBudget}`
  return { name: 'byte-budget', passed: bytes <= manifest.byteBudget, detail }
}

function checkRows(candidate: Repository, { active, knownParts }: GateOptions): GateCheck {
  const { manifest, banks, rowParts } = candidate
  const { taught, heldOut } = manifest
  const problems: string[] = []
  for (const key of BANK_KEYS) {
    const { rows } = banks[key]
    if (rowParts[key].length !== rows) {
      problems.push(`bank '${key}' has ${rows} rows and says of ${rowParts[key].length} where they are from`)
    }
    const strays = rowParts[key].filter((part) => taught[part] === undefined).length
    if (strays > 0) problems.push(`${strays} rows of bank '${key}' are of no part that was taught`)
  }
  const seen = new Map<string, string>()
  const parts = [...taught, ...heldOut]
  const carried = new Set(active ? [...active.manifest.taught, ...active.manifest.heldOut].map(hashOf) : [])
  for (const { id, sha256 } of parts) {
    const twin = seen.get(sha256)
    if (twin !== undefined) problems.push(`part '${id}' is the same as part '${twin}'`)
    seen.set(sha256, id)
    if (knownParts && !knownParts.has(sha256) && !carried.has(sha256)) {
      problems.push(`nobody vouches for part '${id}'`)
    }
  }
  const found = `${taught.length} parts with rows and ${heldOut.length} without: ${problems.length} problems`
  return { name: 'rows', passed: problems.length === 0, detail: found + listed(problems) }
}

const hashOf = ({ sha256 }: { readonly sha256: string }): string => sha256

function isRight(label: GoldenPart['label'], { outcome }: GoldenVerdict): boolean {
  return (outcome === 'pass') === (label === 'good')
}

function sentenceOf({ partId, label, defect, condition, before, after }: GoldenReport): string {
  const what = defect === undefined ? label : `${label}, ${defect}`
  const verdict = ({ outcome, normality }: GoldenVerdict): string => `${outcome} at ${figure(normality)}`
  const change = before ? `${verdict(before)} before, ${verdict(after)} now` : verdict(after)
  return `'${partId}' (${what}) as ${condition}: ${change}`
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return ''
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''
  return `: ${names.slice(0, MOST_NAMED).join('; ')}${more}`
}

const figure = (value: number): string => String(Number(value.toPrecision(3)))
