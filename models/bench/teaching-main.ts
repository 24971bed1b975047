/** A process that teaches and is gone, so that its memory is that of a teaching and of nothing else. */
import { openBundle } from '../bundle.ts'
import { BANK_KEYS } from '../features.ts'
import { fuseWith } from '../fusion.ts'
import { openSearch } from '../nearest.ts'
import type { Repository } from '../repository.ts'
import { teach } from '../teach.ts'
import { encodedParts } from './encoded-parts.ts'
import { openPartSupply } from './part-supply.ts'
import type { FromTeaching, Taught, TeachingRequest } from './teaching.ts'
import { timingOf } from './timing.ts'

// Whoever asked has gone.
process.on('disconnect', () => process.exit(1))
process.once('message', (request: TeachingRequest) => {
  void measured(request)
    .then(
      (taught): FromTeaching => ({ kind: 'taught', taught }),
      (error: unknown): FromTeaching => ({
        kind: 'failed',
        message: error instanceof Error ? error.message : String(error),
      }),
    )
    .then((answer) => process.send?.(answer, undefined, undefined, () => process.exit(0)))
})

async function measured({
  source,
  bundleFolder,
  threads,
  repeats,
  ...request
}: TeachingRequest): Promise<Taught> {
  const { signal } = new AbortController()
  const bundle = await openBundle(bundleFolder, { threads })
  const search = await openSearch({ threads })
  const supply = await openPartSupply(source, signal)
  const openedBytes = peakBytes()
  const startedMs = performance.now()
  const parts = await encodedParts(supply.good(request.parts), {
    bundle,
    seed: request.seed,
    signal,
    phase: 'encoding',
  })
  const encodeMs = performance.now() - startedMs
  const encodedBytes = peakBytes()
  const teachOnce = (): Promise<Repository> =>
    teach({ ...request, product: supply.product, bundle, parts, heldOut: [], search, fuse: fuseWith(bundle) })

  const timesMs: number[] = []
  let repository: Repository | undefined
  let taughtBytes = 0
  while (timesMs.length < repeats) {
    const startedMs = performance.now()
    repository = await teachOnce()
    timesMs.push(performance.now() - startedMs)
    // What the first repeat left for the garbage collector is no part of a teaching.
    if (timesMs.length === 1) taughtBytes = peakBytes()
  }
  const banks = repository!.banks
  return {
    product: supply.product,
    parts: parts.length,
    rows: BANK_KEYS.reduce((sum, key) => sum + banks[key].rows, 0),
    bankBytes: BANK_KEYS.reduce((sum, key) => sum + banks[key].values.byteLength, 0),
    encodeMs,
    teach: timingOf(timesMs),
    peak: { openedBytes, encodedBytes, taughtBytes },
  }
}

/** The most that was ever resident. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024
}
