import t from 'tap'
import type { DefectBanks } from '../../models/admission.ts'
import { BANK_KEYS, type Features } from '../../models/features.ts'
import { gate, judgeGolden } from '../../models/gate.ts'
import { normalised } from '../../models/feature-scale.ts'
import type { RepositoryPart } from '../../models/repository-manifest.ts'
import type { Repository } from '../../models/repository.ts'
import { reviseBanks } from '../../models/revised-banks.ts'
import { rowsWithin } from '../../models/taught-banks.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { update as learn } from '../../models/update.ts'
import { nearestQuickly, quickSearch } from '../support/quick-search.ts'
import {
  fuseSmall,
  SMALL_BYTE_BUDGET,
  SMALL_PATCHES,
  SMALL_WIDTHS,
  smallPart,
  smallProduct,
} from '../support/small-product.ts'

t.setTimeout(1_800_000)

/** A product that never stays as it is: its lamp follows the day, its surface the wear of a tool that is changed now and then. */
function partAfter(updates: number, seed: number): Features {
  return smallPart({ seed, lamp: 2 * Math.sin(updates / 60), wear: (updates % 1700) / 850 })
}

/** What `update` does with the revised banks, without the calibration, which takes a hundred times as long. */
async function learnt(active: Repository, part: RepositoryPart, features: Features): Promise<Repository> {
  const { manifest } = active
  const parts = [...manifest.taught, part]
  const members = parts.map((_, index) =>
    index === manifest.taught.length
      ? { features, isNew: true, isForgotten: false }
      : { isNew: false, isForgotten: false },
  )
  const none: DefectBanks = {}
  const revised = await reviseBanks(active, members, {
    search: quickSearch,
    fuse: fuseSmall,
    defects: none,
    byteBudget: SMALL_BYTE_BUDGET,
    seed: 1,
  })
  const withRows = [...new Set(BANK_KEYS.flatMap((key) => [...revised.rowParts[key]]))].sort((a, b) => a - b)
  const place = new Map(withRows.map((index, position) => [index, position]))
  const rowParts = { ...revised.rowParts }
  for (const key of BANK_KEYS) rowParts[key] = revised.rowParts[key].map((index) => place.get(index)!)
  return {
    ...active,
    banks: revised.banks,
    rowParts,
    foregroundPrior: revised.foregroundPrior,
    manifest: { ...manifest, banks: revised.descriptions, taught: withRows.map((index) => parts[index]!) },
  }
}

/** How far the farthest patch of a part is from the bank, of those that a bank takes. */
function farthest(features: Features, { banks, manifest }: Repository, key: 'rgb' | 'xyz'): number {
  const { width } = banks[key]
  const rows = normalised(features[key]!.values, manifest.scales[key])
  const queries = Float32Array.from(
    SMALL_PATCHES.flatMap((patch) => [...rows.subarray(patch * width, (patch + 1) * width)]),
  )
  return nearestQuickly({ queries, width, bank: banks[key], k: 1 }).distances.reduce(
    (a, b) => Math.max(a, b),
    0,
  )
}

const request = await smallProduct(8)
const taught = await teach(request)
const most = rowsWithin(SMALL_BYTE_BUDGET, SMALL_WIDTHS)

const bytesOf = ({ banks }: Repository): number =>
  BANK_KEYS.reduce((sum, key) => sum + banks[key].values.byteLength, 0)

function radii({ manifest }: Repository): number[] {
  return BANK_KEYS.map((key) => manifest.banks[key].coveringRadius)
}

t.test('10,000 updates keep the byte budget, the rows, the radius and the list of parts flat', async (t) => {
  let active = taught
  let mostBytes = 0
  let mostParts = 0
  const rows = new Set<string>()
  const seen: number[][] = []
  for (let update = 1; update <= 10_000; update++) {
    // The hash tells parts apart, and nothing here asks for it.
    const part: RepositoryPart = { id: `part-${update}`, sha256: '0'.repeat(64), origin: 'lot' }
    active = await learnt(active, part, partAfter(update, 1000 + update))
    mostBytes = Math.max(mostBytes, bytesOf(active))
    mostParts = Math.max(mostParts, active.manifest.taught.length)
    rows.add(BANK_KEYS.map((key) => active.banks[key].rows).join())
    if (update % 1000 === 0) seen.push(radii(active))
  }
  t.comment(
    `${mostBytes} bytes, ${mostParts} parts at most; covering radii ${radii(active)
      .map((radius) => radius.toFixed(2))
      .join(', ')}`,
  )
  t.ok(mostBytes <= SMALL_BYTE_BUDGET, `${mostBytes} bytes of ${SMALL_BYTE_BUDGET}`)
  t.same([...rows], [BANK_KEYS.map((key) => most[key]).join()], 'a search is through as many rows as ever')
  t.ok(
    mostParts <= BANK_KEYS.reduce((sum, key) => sum + most[key], 0),
    'only parts that have rows are listed',
  )
  t.ok(mostParts < 1000, `${mostParts} parts were listed at most, of 10,000`)
  for (const key of BANK_KEYS) t.ok(active.banks[key].values.every(Number.isFinite), `${key} is finite`)

  const [middle, last] = [seen[4]!, seen[9]!]
  for (const [index, key] of BANK_KEYS.entries()) {
    t.ok(
      last[index]! < 1.15 * middle[index]!,
      `${key}: ${middle[index]} after 5000, ${last[index]} after 10,000`,
    )
  }
  // What was learnt and forgotten since is still covered, and so is a part that was never shown.
  for (const key of ['rgb', 'xyz'] as const) {
    const radius = active.manifest.banks[key].coveringRadius
    for (const ago of [0, 10, 100, 1000, 5000]) {
      const distance = farthest(partAfter(10_000 - ago, 11_000 - ago), active, key)
      t.ok(
        distance <= 2 * radius,
        `${key} of ${ago} updates ago: ${distance} from the bank, its radius is ${radius}`,
      )
    }
    t.ok(farthest(partAfter(10_000, 999_999), active, key) <= 2 * radius, `${key} of a new part`)
  }
})

t.test('60 whole updates, one after the other: golden parts keep their verdicts', async (t) => {
  const golden = (partId: string, label: 'good' | 'bad', features: Features) => ({ partId, label, features })
  const goldens = [
    golden('good-1', 'good', smallPart({ seed: 500 })),
    golden('good-2', 'good', smallPart({ seed: 501 })),
    ...[0, 1, 2, 3].map((i) =>
      golden(`bad-${i}`, 'bad', smallPart({ seed: 600 + i, rgbDefect: 6, xyzDefect: 6 })),
    ),
  ]
  let active = taught
  let kept: readonly TaughtPart[] = request.parts
  let passed = 0
  const stopped: string[] = []
  for (let update = 1; update <= 60; update++) {
    const shown = [0, 1].map((i) => ({
      partId: `part-${update}-${i}`,
      // A lamp that changes by three deviations of a patch in all.
      features: partAfter(update / 2, 5000 + 10 * update + i),
      origin: 'accepted' as const,
    }))
    const made = await learn({
      ...request,
      active,
      confirmed: shown,
      kept,
      defects: goldens.filter(({ label }) => label === 'bad'),
      seed: 1,
    })
    const candidate = made.repository
    if (candidate === undefined) {
      stopped.push(...made.refused.map(({ reason }) => reason))
      continue
    }
    const report = await gate(candidate, {
      active,
      goldens,
      comparer: request,
      limits: { leastDetection: 0.9, mostFlips: 0 },
    })
    t.ok(bytesOf(candidate) <= SMALL_BYTE_BUDGET, `update ${update} fits`)
    if (!report.passed) {
      stopped.push(...report.checks.filter((check) => !check.passed).map(({ name }) => name))
      continue
    }
    passed += 1
    active = candidate
    kept = [...kept, ...shown].slice(-10)
  }
  t.comment(`${passed} of 60 passed the gate; stopped by ${stopped.join(', ')}`)
  t.ok(passed >= 30, `${passed} of 60 updates passed the gate`)
  const { manifest } = active
  t.same(manifest.scales, taught.manifest.scales)
  t.ok(manifest.taught.length <= BANK_KEYS.reduce((sum, key) => sum + most[key], 0))
  for (const { partId, label, isWidest, outcome } of await judgeGolden(goldens, active, {
    comparer: request,
  })) {
    if (isWidest) t.equal(outcome, label === 'good' ? 'pass' : 'fail', partId)
  }
})
