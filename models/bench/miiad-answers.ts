/** One class in one split: every method is taught on the same good parts and asked about the same test parts. */
import { modalitiesOf, type DecidableCondition } from '../../drivers/sample.ts'
import type { Bundle } from '../bundle.ts'
import { calibrate, type CalibrationPart, type MapBanks } from '../calibrate.ts'
import { mixedMap, type Comparer, type Finding } from '../comparison.ts'
import type { BankName, Features } from '../features.ts'
import type { Fuse, PatchRows } from '../fusion.ts'
import { conclude, findingsOf } from '../judge.ts'
import type { DefectMask } from '../metrics.ts'
import type { DecisionHead } from '../repository-manifest.ts'
import { RepositoryError } from '../repository.ts'
import { sourceOf } from '../normals.ts'
import { teachLesson, type Lesson, type TaughtPart } from '../teach.ts'
import { buildOtherBank, sideBySide, type OtherBank } from './miiad-banks.ts'
import type { Answer } from './miiad-figures.ts'
import { completeHeadFor, concludeLinear, fitLinearHead, oddness, type LinearNormal } from './miiad-heads.ts'

export interface TestedPart extends TaughtPart {
  readonly isDefective: boolean
  readonly mask: DefectMask
}

/** Each with the features that the split leaves it. */
export interface SplitParts {
  readonly taught: readonly TaughtPart[]
  readonly heldOut: readonly TaughtPart[]
  readonly tested: readonly TestedPart[]
}

export interface SplitTask extends Comparer {
  readonly product: string
  readonly parts: SplitParts
  readonly methods: readonly string[]
  readonly bundle: Bundle
  /** RADAR with other fusions. */
  readonly others: readonly { readonly method: string; readonly bundle: Bundle; readonly fuse: Fuse }[]
  readonly byteBudget: number
  readonly falseRejectRate: number
  readonly seed: number
  readonly signal?: AbortSignal
  onStep(done: number, total: number): void
}

export interface SplitAnswers {
  readonly answers: ReadonlyMap<string, readonly Answer[]>
  readonly gaps: readonly { readonly method: string; readonly why: string }[]
  readonly warnings: readonly string[]
}

/** What a method says of a part, given what the product's banks say; undefined where the part has nothing for the method. */
type Asked = (tested: TestedPart, findings: readonly Finding[]) => Promise<Said | undefined>
type Said = Pick<Answer, 'score' | 'map'> & Partial<Pick<Answer, 'decision'>>

/** With so many held-out parts the taught ones need not be asked: the product's own rule. */
const ENOUGH_NORMALS = 20

/** @throws ModelError. Rejects with the signal's reason. Parts that make no repository are a gap of every method that needs one. */
export async function answerSplit(task: SplitTask): Promise<SplitAnswers> {
  const { parts, methods, others, search, signal } = task
  const asked = others.filter(({ method }) => methods.includes(method))
  const total = 2 + asked.length
  const answers = new Map<string, readonly Answer[]>()
  const gaps: { method: string; why: string }[] = []
  let warnings: readonly string[] = []
  const attempt = async (of: readonly string[], work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error
      gaps.push(...of.map((method) => ({ method, why: error.message })))
    }
  }
  const own = methods.filter((method) => others.every((other) => other.method !== method))
  const teachOwn = async (): Promise<void> => {
    const lesson = await teachLesson(requestOf(task, task))
    warnings = lesson.repository.manifest.warnings
    task.onStep(1, total)
    const taught = new Map<string, Asked>()
    for (const method of own) taught.set(method, await teachMethod(method, lesson, task))
    const found = new Map<string, Answer[]>(own.map((method) => [method, []]))
    for (const tested of parts.tested) {
      signal?.throwIfAborted()
      const findings = await findingsOf(tested.features, lesson.repository, task)
      for (const [method, ask] of taught) {
        const said = await ask(tested, findings)
        if (said) found.get(method)!.push(answerOf(tested, said))
      }
    }
    for (const [method, of] of found) answers.set(method, of)
    task.onStep(2, total)
  }
  if (own.length > 0) await attempt(own, teachOwn)
  for (const [index, { method, bundle, fuse }] of asked.entries()) {
    await attempt([method], async () => {
      const { repository } = await teachLesson(requestOf(task, { bundle, fuse }))
      const found: Answer[] = []
      for (const tested of parts.tested) {
        signal?.throwIfAborted()
        const findings = await findingsOf(tested.features, repository, { search, fuse })
        found.push(
          answerOf(tested, promised(findings, repository.manifest.heads[tested.features.condition], task)),
        )
      }
      answers.set(method, found)
    })
    task.onStep(3 + index, total)
  }
  return { answers, gaps, warnings }
}

function requestOf(
  { product, parts, search, byteBudget, falseRejectRate, seed, signal }: SplitTask,
  { bundle, fuse }: Pick<SplitTask, 'bundle' | 'fuse'>,
) {
  const { taught, heldOut } = parts
  const settings = { byteBudget, falseRejectRate, seed, ...(signal && { signal }) }
  return { product, bundle, fuse, search, parts: taught, heldOut, ...settings }
}

function answerOf({ features, isDefective, mask }: TestedPart, said: Said): Answer {
  return { condition: features.condition, isDefective, mask: isDefective ? mask : undefined, ...said }
}

/** What the product says, on one scale for all conditions. */
function promised(
  findings: readonly Finding[],
  head: Pick<DecisionHead, 'mahalanobis' | 'normality' | 'map'>,
  { falseRejectRate }: Pick<SplitTask, 'falseRejectRate'>,
): Said {
  const { distance, normality, map } = conclude(findings, head)
  const score = oddness(head.normality, distance)
  return { score, map, decision: { isRejected: normality < falseRejectRate, oddness: score } }
}

async function teachMethod(method: string, lesson: Lesson, task: SplitTask): Promise<Asked> {
  const { heads } = lesson.repository.manifest
  switch (method) {
    case 'rgb-only':
      return oneBank('rgb')
    case 'xyz-only':
      return oneBank('xyz')
    case 'm3dm-pseudo':
      return m3dmPseudo(lesson, task)
    case 'm3dm-present':
      return m3dmPresent(lesson, task)
    case 'radar':
      return async ({ features }, findings) => promised(findings, heads[features.condition], task)
    case 'radar-one-head':
      return async ({ features: { condition } }, findings) =>
        promised(findings, completeHeadFor(condition, heads.complete), task)
    case 'radar-no-fused': {
      const own = headsAnew(lesson, task, (normals) => normals.map(withoutLast))
      return async ({ features }, findings) => promised(withoutLast(findings), own[features.condition], task)
    }
    case 'radar-fused-map': {
      const own = headsAnew(lesson, task, (normals) => normals, 'all')
      return async ({ features }, findings) => promised(findings, own[features.condition], task)
    }
    default:
      throw new RangeError(`no method is called '${method}'`)
  }
}

/** PatchCore on one modality: the product's bank of it, its distances as they are. */
function oneBank(modality: 'rgb' | 'xyz'): Asked {
  return async ({ features }, findings) => {
    // Banks of modalities come first, in the order of modalities.
    const finding = findings[modalitiesOf(features.condition).indexOf(modality)]
    return finding && { score: finding.score, map: mixedMap([finding], { weights: [1], threshold: 1 }) }
  }
}

/** The fused bank comes last in every condition. */
const withoutLast = (findings: readonly Finding[]): readonly Finding[] => findings.slice(0, -1)

/** Calibrated as the product's heads are, on other findings; allowances go by place, and the fused bank's is the last. */
function headsAnew(
  { normals, heldOut }: Lesson,
  { falseRejectRate, seed }: SplitTask,
  changed: (normals: readonly CalibrationPart[]) => readonly CalibrationPart[],
  mapBanks?: MapBanks,
): Readonly<Record<DecidableCondition, DecisionHead>> {
  const headOf = (condition: DecidableCondition): DecisionHead =>
    calibrate(changed(normals[condition]), {
      condition,
      source: sourceOf(heldOut, condition),
      falseRejectRate,
      seed,
      ...(mapBanks && { mapBanks }),
    })
  return { complete: headOf('complete'), 'rgb-only': headOf('rgb-only'), 'xyz-only': headOf('xyz-only') }
}

/** M3DM's banks from complete parts and what single modalities there are; a part is asked about by the banks that it has features for. */
async function m3dmPresent(lesson: Lesson, task: SplitTask): Promise<Asked> {
  const { parts, heldOut, normals } = lesson
  const { scales } = lesson.built
  const both = await buildOtherBank({
    ...otherBankOf(lesson, task),
    name: 'fused',
    rowsOf: ({ rgb, xyz }) => rgb && xyz && sideBySide(rgb, xyz, scales),
  })
  // The product's own complete normals, in its order: rgb and xyz are known of them.
  const complete = [
    ...heldOut.map(({ features }) => ({ features, leftOut: undefined })),
    ...(sourceOf(heldOut, 'complete') === 'held-out' ? [] : parts.map(asLeftOut)),
  ].filter(({ features }) => features.condition === 'complete')
  const seen: LinearNormal[] = []
  for (const [index, { features, leftOut }] of complete.entries()) {
    const findings = [...withoutLast(normals.complete[index]!), await both.findingOf(features, leftOut)]
    seen.push({ findings, isReal: [true, true, true] })
  }
  const head = fitLinearHead(seen, task.seed)
  return async ({ features }, findings) => {
    const known = withoutLast(findings)
    return features.condition === 'complete'
      ? concludeLinear(head, [...known, await both.findingOf(features)], [0, 1, 2])
      : concludeLinear(head, known, [features.condition === 'rgb-only' ? 0 : 1])
  }
}

/** M3DM's banks as they come about when nobody minds what is missing: the pseudo-input's features take its place everywhere. */
async function m3dmPseudo(lesson: Lesson, task: SplitTask): Promise<Asked> {
  const { parts, heldOut } = lesson
  const { manifest, pseudo } = task.bundle
  const rowsOf = ({ rgb, xyz }: Features): Record<'rgb' | 'xyz', PatchRows> => ({
    rgb: rgb ?? { width: manifest.encoders.rgb.width, values: pseudo.rgb },
    xyz: xyz ?? { width: manifest.encoders.xyz.width, values: pseudo.xyz },
  })
  const bankOf = (name: BankName, of: (rows: ReturnType<typeof rowsOf>) => PatchRows): Promise<OtherBank> =>
    buildOtherBank({ ...otherBankOf(lesson, task), name, rowsOf: (features) => of(rowsOf(features)) })
  const banks = [
    await bankOf('rgb', ({ rgb }) => rgb),
    await bankOf('xyz', ({ xyz }) => xyz),
    await bankOf('fused', ({ rgb, xyz }) => sideBySide(rgb, xyz, lesson.built.scales)),
  ]
  const findingsIn = async (features: Features, leftOut?: number): Promise<Finding[]> => {
    const findings: Finding[] = []
    for (const bank of banks) findings.push(await bank.findingOf(features, leftOut))
    return findings
  }
  const seen: LinearNormal[] = []
  const asked = [
    ...heldOut.map(({ features }) => ({ features, leftOut: undefined })),
    ...(heldOut.length >= ENOUGH_NORMALS ? [] : parts.map(asLeftOut)),
  ]
  for (const { features, leftOut } of asked) {
    const has = modalitiesOf(features.condition)
    seen.push({
      findings: await findingsIn(features, leftOut),
      isReal: [has.includes('rgb'), has.includes('xyz'), has.length === 2],
    })
  }
  const head = fitLinearHead(seen, task.seed)
  return async ({ features }) => concludeLinear(head, await findingsIn(features), [0, 1, 2])
}

const asLeftOut = ({ features }: TaughtPart, leftOut: number) => ({ features, leftOut })

/** The product's parts and as many rows as its banks have. */
function otherBankOf({ parts, repository }: Lesson, { seed, search, signal }: SplitTask) {
  const rows = Math.max(...Object.values(repository.manifest.banks).map((bank) => bank.rows))
  return { parts: parts.map(({ features }) => features), rows, seed, search, ...(signal && { signal }) }
}
