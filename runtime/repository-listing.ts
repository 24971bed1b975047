/** A product's kept repositories beside what the ledger says of them: who made each, whether it is in use, what the gate said. */
import * as z from 'zod'
import type { DecidableCondition } from '../drivers/sample.ts'
import type { DecisionHead, RepositoryManifest } from '../models/repository-manifest.ts'
import { keptIds, lookAt, type KeptRepository } from './kept-repositories.ts'
import type { Ledger, LedgerAction, LedgerEntry } from './ledger.ts'

export type RepositoryState =
  | 'in-use'
  | 'was-in-use'
  /** Passed the gate, and was not put into use. */
  | 'candidate'
  /** By the gate. */
  | 'refused'
  /** From elsewhere; the gate has not seen it. */
  | 'imported'
  /** The ledger has never heard of it. */
  | 'not-in-ledger'

export interface GateResult {
  readonly passed: boolean
  /** No bad golden part was there to guard it. */
  readonly unguarded: boolean
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[]
  /** Golden verdicts, over all conditions. */
  readonly golden: { readonly right: number; readonly total: number }
}

export interface RepositoryListing extends KeptRepository {
  readonly product: string
  readonly state: RepositoryState
  /** When it was made or came here: by the ledger, else by its folder. */
  readonly madeAt: string
  /** What made its state: the last promotion, the gate's refusal, the import. */
  readonly entry?: LedgerEntry
  /** The last time that the gate saw it. */
  readonly gate?: GateResult
  /** Newest first. */
  readonly history: readonly LedgerEntry[]
}

export interface ListingOptions {
  readonly root: string
  readonly product: string
  readonly ledger: Ledger
}

/** What each of these makes of a repository; other entries leave it what it is. */
const STATE_AFTER: Partial<Record<LedgerAction, RepositoryState>> = {
  promote: 'was-in-use',
  rollback: 'was-in-use',
  candidate: 'candidate',
  refused: 'refused',
  import: 'imported',
}

/** More happens to no repository; an older entry is still found with `repository history`. */
const MOST_ENTRIES = 200

const figuresSchema = z.object({
  gate: z.object({
    passed: z.boolean(),
    unguarded: z.boolean(),
    checks: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string() })),
    golden: z.array(z.object({ label: z.enum(['good', 'bad']), outcome: z.enum(['pass', 'fail']) })),
  }),
})

/** The one in use first, then the newest. */
export async function listRepositories(options: ListingOptions): Promise<RepositoryListing[]> {
  const listings: RepositoryListing[] = []
  for (const id of await keptIds(options.root, options.product)) {
    listings.push(await listingOf(id, options))
  }
  const isOther = ({ state }: RepositoryListing): number => (state === 'in-use' ? 0 : 1)
  return listings.sort((a, b) => isOther(a) - isOther(b) || (a.madeAt < b.madeAt ? 1 : -1))
}

export async function listingOf(
  id: string,
  { root, product, ledger }: ListingOptions,
): Promise<RepositoryListing> {
  const kept = await lookAt(root, product, id)
  const history = ledger.history({ product, repositoryId: id, limit: MOST_ENTRIES })
  const [entry, ...earlier] = history.filter(({ action }) => STATE_AFTER[action] !== undefined)
  const said = entry && STATE_AFTER[entry.action]
  const state = ledger.active(product) === id ? 'in-use' : (said ?? 'not-in-ledger')
  const gate = gateOf(history)
  return {
    ...kept,
    product,
    state,
    madeAt: (earlier.at(-1) ?? entry)?.time ?? kept.writtenAt.toISOString(),
    ...(entry && { entry }),
    ...(gate && { gate }),
    history,
  }
}

/** For machines: what `list` and `show` print, without the manifest. */
export function listingJson({ manifest, history, entry, writtenAt: _, id, ...listing }: RepositoryListing) {
  return {
    repositoryId: id,
    ...listing,
    ...(entry && { who: entry.who, why: entry.why, at: entry.time }),
    ...(manifest && {
      made: manifest.made,
      ...(manifest.parent !== undefined && { parent: manifest.parent }),
      taught: manifest.taught.length,
      heldOut: manifest.heldOut.length,
      falseRejectRate: manifest.falseRejectRate,
      predictedFalseRejects: predictedOf(manifest),
    }),
    entries: history.length,
  }
}

export function predictedOf({
  heads,
}: RepositoryManifest): Record<DecidableCondition, DecisionHead['calibration']['predictedFalseRejects']> {
  return {
    complete: heads.complete.calibration.predictedFalseRejects,
    'rgb-only': heads['rgb-only'].calibration.predictedFalseRejects,
    'xyz-only': heads['xyz-only'].calibration.predictedFalseRejects,
  }
}

function gateOf(history: readonly LedgerEntry[]): GateResult | undefined {
  for (const { figures } of history) {
    const parsed = figuresSchema.safeParse(figures)
    if (!parsed.success) continue
    const { golden, ...gate } = parsed.data.gate
    const right = golden.filter(({ label, outcome }) => (label === 'good') === (outcome === 'pass')).length
    return { ...gate, golden: { right, total: golden.length } }
  }
  return undefined
}
