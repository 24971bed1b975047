/** Heads for every condition from good parts beside banks that do not hold them: taught, updated and rebuilt repositories share it. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { Bundle } from './bundle.ts'
import { calibrate, type CalibrationPart } from './calibrate.ts'
import { BANKS_OF, findingOf, type Comparer, type Finding, type Taught } from './comparison.ts'
import { bankKey, type BankKey, type Features } from './features.ts'
import type { MahalanobisMode } from './mahalanobis.ts'
import { canNarrow, narrowed } from './narrow.ts'
import type { CalibrationSource, RepositoryManifest } from './repository-manifest.ts'
import type { BankOptions, TaughtBanks } from './taught-banks.ts'

export interface CalibrationOptions extends Comparer, Pick<BankOptions, 'seed' | 'signal' | 'onProgress'> {
  readonly bundle: Pick<Bundle, 'manifest'>
  /** The promise: the share of good parts that may fail. */
  readonly falseRejectRate: number
  /** Default one-sided. */
  readonly mdmMode?: MahalanobisMode
}

export interface CalibrationParts {
  /** In the order of `built.without`. */
  readonly parts: readonly { readonly features: Features }[]
  /** The banks hold nothing of them. */
  readonly heldOut: readonly { readonly features: Features }[]
  readonly built: Pick<TaughtBanks, 'banks' | 'without' | 'scales' | 'foregroundPrior'>
}

/** What the banks say of good parts that they do not hold. */
export type Normals = Readonly<Record<DecidableCondition, CalibrationPart[]>>

export interface Calibrated {
  readonly normals: Normals
  readonly heads: RepositoryManifest['heads']
  /** What whoever taught should know, in sentences. */
  readonly warnings: string[]
}

/**
 * At most so many times banks are made without some of the parts. Up to as many parts each is left out by itself; more leave in groups,
 * or teaching several hundred would take an hour.
 */
const FOLDS = 20
/** With so many held-out parts of a condition the taught ones need not be asked again (numerics 5.5). */
const ENOUGH_NORMALS = 20

/** @throws ModelError for features that are not finite. Rejects with the signal's reason. */
export async function calibrateConditions(
  options: CalibrationOptions,
  parts: CalibrationParts,
): Promise<Calibrated> {
  const { falseRejectRate, seed, mdmMode } = options
  const normals = await compareNormals(options, parts)
  const headOf = (condition: DecidableCondition) =>
    calibrate(normals[condition], {
      condition,
      source: sourceOf(parts.heldOut, condition),
      falseRejectRate,
      seed,
      ...(mdmMode && { mode: mdmMode }),
    })
  return {
    normals,
    heads: { complete: headOf('complete'), 'rgb-only': headOf('rgb-only'), 'xyz-only': headOf('xyz-only') },
    warnings: calibrationWarnings(options, normals),
  }
}

/** Where the normals of a condition come from. */
export function sourceOf(
  heldOut: CalibrationParts['heldOut'],
  condition: DecidableCondition,
): CalibrationSource {
  const able = heldOut.filter(({ features }) => canNarrow(features.condition, condition)).length
  return able >= ENOUGH_NORMALS ? 'held-out' : able > 0 ? 'both' : 'leave-one-part-out'
}

/**
 * In every condition that a part has the modalities of: held-out parts against the whole banks; where they are few, also each taught
 * part against banks without it. Of a part that has been compared only scores and distances are kept.
 */
export async function compareNormals(
  { search, fuse, signal, onProgress }: CalibrationOptions,
  { parts, heldOut, built }: CalibrationParts,
): Promise<Normals> {
  const scarce = DECIDABLE_CONDITIONS.filter((condition) => sourceOf(heldOut, condition) !== 'held-out')
  const folds = scarce.length === 0 ? [] : foldsOf(parts.length)
  const total = heldOut.length + (folds.length === 0 ? 0 : parts.length)
  let done = 0
  const ask = async (
    { features }: { readonly features: Features },
    conditions: readonly DecidableCondition[],
    bankOf: Taught['bankOf'],
  ) => {
    const found = await findingsIn(conditions, features, { ...built, bankOf, search, fuse })
    onProgress?.({ phase: 'calibrating', done: ++done, total })
    signal?.throwIfAborted()
    return found
  }
  const found: Map<DecidableCondition, CalibrationPart>[] = []
  for (const part of heldOut) found.push(await ask(part, DECIDABLE_CONDITIONS, (key) => built.banks[key]))
  for (const fold of folds) {
    const bankOf = remembered((key: BankKey) => built.without[key](fold))
    for (const part of fold) found[heldOut.length + part] = await ask(parts[part]!, scarce, bankOf)
  }
  const of = (condition: DecidableCondition) =>
    found.flatMap((part) => (part.has(condition) ? [part.get(condition)!] : []))
  return { complete: of('complete'), 'rgb-only': of('rgb-only'), 'xyz-only': of('xyz-only') }
}

/** Parts that leave the banks together: every n-th, so that parts captured one after the other do not. */
function foldsOf(parts: number): number[][] {
  const folds = Array.from({ length: Math.min(parts, FOLDS) }, (): number[] => [])
  for (let part = 0; part < parts; part++) folds[part % folds.length]!.push(part)
  return folds
}

function remembered<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>()
  return (key) => {
    const value = made.get(key) ?? make(key)
    made.set(key, value)
    return value
  }
}

/** What the banks say of a part in each of the conditions that it has the modalities of. */
export async function findingsIn(
  conditions: readonly DecidableCondition[],
  features: Features,
  taught: Taught & Comparer,
): Promise<Map<DecidableCondition, CalibrationPart>> {
  // What the rgb and the xyz bank say of a part is the same in every condition.
  const known = new Map<BankKey, Finding>()
  const found = new Map<DecidableCondition, CalibrationPart>()
  for (const condition of conditions) {
    if (!canNarrow(features.condition, condition)) continue
    const seen = narrowed(features, condition)
    const findings: Finding[] = []
    for (const name of BANKS_OF[condition]) {
      const key = bankKey(name, condition)
      const finding = known.get(key) ?? (await findingOf(seen, name, taught))
      known.set(key, finding)
      findings.push(finding)
    }
    found.set(condition, findings)
  }
  return found
}

function calibrationWarnings({ bundle, falseRejectRate }: CalibrationOptions, normals: Normals): string[] {
  const warnings: string[] = []
  const counts = new Set(DECIDABLE_CONDITIONS.map((condition) => normals[condition].length))
  for (const count of counts) {
    const conditions = DECIDABLE_CONDITIONS.filter((condition) => normals[condition].length === count)
    const where = counts.size === 1 ? '' : `${conditions.join(' and ')}: `
    if (count < ENOUGH_NORMALS) {
      warnings.push(
        `${where}calibrated on ${count} good parts; banks are taken as independent below ${ENOUGH_NORMALS}`,
      )
    }
    if ((count + 1) * falseRejectRate < 1) {
      warnings.push(
        `${where}a false-reject rate of ${falseRejectRate} lies beyond the oddest of ${count} good parts: the threshold is extrapolated, ${Math.ceil(1 / falseRejectRate)} parts would measure it`,
      )
    }
  }
  if (bundle.manifest.input.rgb.masking === 'foreground') {
    warnings.push(
      'this bundle blanks the background of the picture with 3D: rgb-only was calibrated on blanked pictures and will see whole ones',
    )
  }
  return warnings
}
