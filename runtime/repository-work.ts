/**
 * What is done to a product's repository: updating, rebuilding, letting a candidate through the gate. Every change makes a candidate
 * beside the repository in use; only the gate lets it through, and putting it into use is one entry of the ledger. Wherever this is
 * killed, the old repository is in use or the new one.
 */
import type { ConfirmedPart } from '../models/admission.ts'
import { engineShift, withEngine } from '../models/engine-check.ts'
import { ENGINE } from '../models/engine.ts'
import type { BankKey } from '../models/features.ts'
import { gate, type GateReport } from '../models/gate.ts'
import type { RepositoryManifest } from '../models/repository-manifest.ts'
import {
  loadRepository,
  makeRepository,
  readManifest,
  RepositoryError,
  saveRepository,
  type Repository,
} from '../models/repository.ts'
import type { BankChange } from '../models/revised-banks.ts'
import type { StoredPart } from '../models/stored-part.ts'
import { teach, type TaughtPart } from '../models/teach.ts'
import type { TeachProgress } from '../models/taught-banks.ts'
import { update, type Update } from '../models/update.ts'
import type { Figures } from './ledger.ts'
import { RuntimeError } from './runtime-error.ts'
import type { Workshop } from './workshop.ts'
import { featuresOf, freshFeatures, loadGolden, loadGood } from './workshop-parts.ts'

/** Who asks for it and why: it stands in the ledger for ever. */
export interface Reasons {
  readonly who: string
  readonly why: string
}

export interface WorkOptions extends Reasons {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: TeachProgress) => void
}

/** A part that somebody called good, with what was kept of it. */
export interface ConfirmedStored extends Pick<ConfirmedPart, 'origin' | 'doubt' | 'framesHash'> {
  readonly stored: StoredPart
}

export interface UpdateWork extends WorkOptions {
  readonly confirmed: readonly ConfirmedStored[]
  /** Ids of parts that should never have been taught. */
  readonly forget?: readonly string[]
  /** Leaves the candidate for a person to promote. */
  readonly keepCandidate?: boolean
  readonly seed: number
}

/** What came of it. */
export interface WorkReport {
  readonly product: string
  readonly result:
    | 'promoted'
    /** Passed the gate and waits for its promotion. */
    | 'candidate'
    /** The gate or admission said no; the repository in use stays. */
    | 'refused'
    /** Too many of the confirmed parts look like known defects: nothing was made of any of them. */
    | 'suspicious'
    /** There was nothing to learn. */
    | 'unchanged'
  /** Of the candidate. */
  readonly repositoryId?: string
  /** In use before. */
  readonly previousId?: string
  readonly admitted: readonly string[]
  readonly refused: Update['refused']
  readonly changes?: Readonly<Record<BankKey, BankChange>>
  readonly gate?: GateReport
  /** What could not be used, and what whoever asked should know. */
  readonly remarks: readonly string[]
}

/** @throws RuntimeError NOT_TAUGHT without a repository to update; RepositoryError, ModelError. Rejects with the signal's reason. */
export async function updateRepository(shop: Workshop, work: UpdateWork): Promise<WorkReport> {
  const active = await mustBeTaught(shop)
  const { signal } = work
  const golden = await loadGolden(shop, signal)
  const kept = await loadGood(shop, signal)
  const remarks = [...golden.left, ...kept.left]
  const confirmed: ConfirmedPart[] = []
  for (const { stored, ...rest } of work.confirmed) {
    const features = await featuresOf(stored, shop.bundle)
    if (features === undefined)
      remarks.push(`part '${stored.partId}' has neither features of this bundle and engine nor frames`)
    else confirmed.push({ partId: stored.partId, features, ...rest })
  }
  // Nothing new would be something else: compacting.
  if (work.confirmed.length > 0 && confirmed.length === 0) {
    const about = { product: shop.product, previousId: active.id, admitted: [], refused: [] }
    return { ...about, result: 'unchanged', remarks }
  }
  const made = await update({
    ...recipeFor(shop),
    active,
    confirmed,
    kept: kept.parts,
    defects: golden.parts.filter(({ label }) => label === 'bad'),
    ...(work.forget && { forget: work.forget }),
    seed: work.seed,
    signal,
    ...(work.onProgress && { onProgress: work.onProgress }),
  })
  const { admitted, refused, changes } = made
  const told = {
    product: shop.product,
    previousId: active.id,
    admitted,
    refused,
    ...(changes && { changes }),
    remarks,
  }
  if (made.isSuspicious) {
    const { length } = refused.filter(({ reason }) => reason === 'resembles-defect')
    const why = `${length} of ${confirmed.length} parts confirmed as good resemble known defects (${work.why})`
    shop.ledger.record({
      product: shop.product,
      action: 'alarm',
      who: work.who,
      why,
      figures: { refused: shortened(refused) },
    })
    return { ...told, result: 'suspicious' }
  }
  if (made.repository === undefined || made.repository.id === active.id)
    return { ...told, result: 'unchanged' }

  const candidate = await letThrough(shop, made.repository, {
    active,
    golden: golden.parts,
    ...work,
    figures: { admitted: shortened(admitted), refused: shortened(refused), changes },
  })
  const report = { ...told, repositoryId: candidate.id, gate: candidate.report }
  if (!candidate.report.passed) return { ...report, result: 'refused' }
  // Before the promotion: a repository in use must find the parts that it is calibrated with.
  for (const { stored } of work.confirmed) {
    if (admitted.includes(stored.partId)) await shop.good.add({ ...stored, label: 'good' })
  }
  if (work.keepCandidate === true) return { ...report, result: 'candidate' }
  promote(shop, candidate, { ...work, expectedActive: active.id })
  return { ...report, result: 'promoted' }
}

/**
 * A candidate, or an imported or formerly used repository, asks to be put into use: the gate decides beside the one that is.
 * @throws RuntimeError REPOSITORY_UNKNOWN; RepositoryError when it cannot be believed here.
 */
export async function promoteRepository(
  shop: Workshop,
  { id, ...work }: WorkOptions & { readonly id: string },
): Promise<WorkReport> {
  const { product, ledger } = shop
  const expectedActive = ledger.active(product)
  const told = {
    product,
    repositoryId: id,
    ...(expectedActive !== undefined && { previousId: expectedActive }),
    admitted: [],
    refused: [],
  }
  if (id === expectedActive) return { ...told, result: 'unchanged', remarks: ['it is in use already'] }
  const repository = await loadRepository(shop.folderOf(id), shop.context)
  const golden = await loadGolden(shop, work.signal)
  const remarks = [...golden.left]
  // One that this machine cannot believe any more has no verdicts to keep.
  const active = await shop.active().catch((error: unknown) => {
    if (!(error instanceof RepositoryError)) throw error
    remarks.push(`the repository in use is not compared with: ${error.message}`)
    return undefined
  })
  const candidate = await letThrough(shop, repository, { active, golden: golden.parts, ...work })
  const report = { ...told, gate: candidate.report, remarks }
  if (!candidate.report.passed) return { ...report, result: 'refused' }
  promote(shop, candidate, { ...work, expectedActive })
  return { ...report, result: 'promoted' }
}

/**
 * The repository in use for another bundle or engine. Where golden parts' features have not moved, it is the same under another name; else
 * it is taught again from the good parts whose frames were kept.
 * @throws RuntimeError NOT_TAUGHT; RepositoryError `REPOSITORY_REFUSED` when too few frames were kept.
 */
export async function rebuildRepository(
  shop: Workshop,
  { seed, ...work }: WorkOptions & { readonly seed: number },
): Promise<WorkReport> {
  const { product, ledger, bundle, context } = shop
  const previousId = ledger.active(product)
  if (previousId === undefined) throw notTaught(product)
  const { manifest } = await readManifest(shop.folderOf(previousId))
  const told = { product, previousId, admitted: [], refused: [] }
  const isSameBundle = manifest.bundle.id === bundle.id
  if (isSameBundle && manifest.engine === ENGINE)
    return { ...told, result: 'unchanged', remarks: ['it was made with this bundle and engine'] }

  const remarks: string[] = []
  const old = isSameBundle
    ? await loadRepository(shop.folderOf(previousId), { ...context, engine: manifest.engine })
    : undefined
  const pairs = old ? await goldenOfBoth(shop, { engine: manifest.engine, signal: work.signal }) : []
  const shift = old && pairs.length > 0 ? engineShift(old, pairs) : undefined
  if (shift)
    remarks.push(
      `golden features have moved by ${(100 * shift.worst).toPrecision(2)} % of the covering radius at most`,
    )
  else if (old) remarks.push('no golden part has features of both engines: nobody knows how far they differ')
  const rebuilt =
    old && shift?.isSmall
      ? withEngine(old, ENGINE)
      : await taughtAgain(shop, manifest, { seed, previousId, remarks, ...work })
  const golden = await loadGolden(shop, work.signal)
  remarks.push(...golden.left)
  const candidate = await letThrough(shop, rebuilt, {
    active: undefined,
    golden: golden.parts,
    ...work,
    ...(shift && { figures: { shift } }),
  })
  const report = { ...told, repositoryId: candidate.id, gate: candidate.report, remarks }
  if (!candidate.report.passed) return { ...report, result: 'refused' }
  promote(shop, candidate, { ...work, expectedActive: previousId })
  return { ...report, result: 'promoted' }
}

/** Golden parts, as the other engine saw them when they were stored and as this one sees their frames. */
async function goldenOfBoth(
  shop: Workshop,
  { engine, signal }: { readonly engine: string; readonly signal: AbortSignal },
) {
  const pairs: Parameters<typeof engineShift>[1][number][] = []
  for (const { partId, features } of (await shop.golden.list()).parts) {
    signal.throwIfAborted()
    if (features?.engine !== engine || features.bundleId !== shop.bundle.id) continue
    const stored = await shop.golden.load(partId, 'all')
    const after = await freshFeatures(stored, shop.bundle)
    if (stored.features && after) pairs.push({ before: stored.features, after })
  }
  return pairs
}

async function taughtAgain(
  shop: Workshop,
  manifest: RepositoryManifest,
  {
    seed,
    previousId,
    remarks,
    signal,
    onProgress,
  }: WorkOptions & { readonly seed: number; readonly previousId: string; readonly remarks: string[] },
): Promise<Repository> {
  const { parts, left } = await loadGood(shop, signal)
  remarks.push(...left)
  const heldOut = new Set(manifest.heldOut.map(({ id }) => id))
  const isHeldOut = ({ partId }: TaughtPart): boolean => heldOut.has(partId)
  // Not those of an earlier teaching, or that were forgotten.
  const own = new Set([...manifest.taught, ...manifest.heldOut].map(({ id }) => id))
  const mine = parts.filter(({ partId }) => own.has(partId))
  const repository = await teach({
    ...recipeFor(shop),
    product: shop.product,
    parts: mine.filter((part) => !isHeldOut(part)),
    heldOut: mine.filter(isHeldOut),
    seed,
    signal,
    ...(onProgress && { onProgress }),
  })
  return makeRepository({
    ...repository,
    manifest: {
      ...repository.manifest,
      ...(manifest.looks && { looks: manifest.looks }),
      made: 'rebuilt',
      parent: previousId,
    },
  })
}

export interface Candidate {
  readonly id: string
  readonly report: GateReport
  readonly figures: Figures
}

/**
 * Asks the gate and puts its answer into the ledger; what it lets through is saved and read back. The entry comes before the folder: what
 * the ledger has never heard of is somebody's leftover.
 */
export async function letThrough(
  shop: Workshop,
  repository: Repository,
  {
    active,
    golden,
    figures = {},
    ...work
  }: WorkOptions & {
    readonly active: Repository | undefined
    readonly golden: Parameters<typeof gate>[1]['goldens']
    readonly figures?: Figures
  },
): Promise<Candidate> {
  const { product, recipe, comparer, ledger, context } = shop
  const report = await gate(repository, {
    active,
    goldens: golden,
    comparer,
    limits: recipe.gate,
    signal: work.signal,
  })
  const all = {
    ...figures,
    gate: gateFigures(report),
    predictedFalseRejects: { before: active && predictedOf(active), after: predictedOf(repository) },
  }
  ledger.record({
    product,
    action: report.passed ? 'candidate' : 'refused',
    repositoryId: repository.id,
    who: work.who,
    why: work.why,
    figures: all,
  })
  if (report.passed) {
    const folder = shop.folderOf(repository.id)
    await saveRepository(folder, repository)
    await loadRepository(folder, context)
  }
  return { id: repository.id, report, figures: all }
}

export function promote(
  { product, ledger }: Workshop,
  { id, figures }: Candidate,
  { who, why, expectedActive }: Reasons & { readonly expectedActive: string | undefined },
): void {
  ledger.promote({ product, repositoryId: id, expectedActive, who, why, figures })
}

function recipeFor({ bundle, comparer, recipe }: Workshop) {
  return {
    bundle,
    ...comparer,
    byteBudget: Math.round(recipe.bankMebibytes * 2 ** 20),
    falseRejectRate: recipe.falseRejectRate,
    mdmMode: recipe.mdm.mode,
  }
}

async function mustBeTaught(shop: Workshop): Promise<Repository> {
  const active = await shop.active()
  if (active === undefined) throw notTaught(shop.product)
  return active
}

export const notTaught = (product: string): RuntimeError =>
  new RuntimeError('NOT_TAUGHT', `${product} was never taught: radar-edge teach --product ${product}`)

/** Entries of the ledger are bounded; the report to whoever asked has everything. */
const MOST_IN_LEDGER = 100

const shortened = <Item>(list: readonly Item[]): readonly Item[] => list.slice(0, MOST_IN_LEDGER)

function gateFigures({ passed, unguarded, checks, golden }: GateReport) {
  return {
    passed,
    unguarded,
    checks,
    golden: shortened(golden).map(({ partId, label, condition, isWidest, after, before }) => ({
      partId,
      label,
      condition,
      isWidest,
      ...rounded(after),
      ...(before && { before: rounded(before) }),
    })),
  }
}

const rounded = ({ outcome, normality, distance }: GateReport['golden'][number]['after']) => ({
  outcome,
  normality: Number(normality.toPrecision(6)),
  distance: Number(distance.toPrecision(6)),
})

function predictedOf({ manifest }: Repository) {
  return Object.fromEntries(
    Object.entries(manifest.heads).map(([condition, { calibration }]) => [
      condition,
      calibration.predictedFalseRejects,
    ]),
  )
}
