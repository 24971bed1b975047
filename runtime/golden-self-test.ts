/** The golden self-test of a running station: its own host, its own repository, the parts on its golden shelf. */
import { delay, type Clock } from '../drivers/clock.ts'
import type { GoldenJudgement } from '../models/gate.ts'
import type { Inspector } from '../models/inspection.ts'
import type { PartShelf } from '../models/part-shelf.ts'
import { selfTest, type SelfTestPart, type SelfTestReport } from '../models/self-test.ts'
import { sampleOfStored } from '../models/stored-part.ts'
import { goldenRecordSchema } from './golden-record.ts'
import type { Ledger } from './ledger.ts'

export interface GoldenSelfTestOptions {
  readonly product: string
  readonly shelf: PartShelf
  readonly host: Pick<Inspector, 'inspect'> & { readonly unanswered: number }
  readonly ledger: Pick<Ledger, 'history'>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Of one inspection: a host that is stuck is killed and restarted within it. */
const DEADLINE_MS = 30_000
/** How often it is looked whether a live part waits. */
const LOOK_MS = 20
const MOST_ENTRIES = 20

/** A damaged golden part fails the test: nobody can say what it would have shown. */
export async function goldenSelfTest(options: GoldenSelfTestOptions): Promise<SelfTestReport> {
  const { product, shelf, host, ledger, clock, signal } = options
  const { parts, damaged } = await shelf.list()
  const shown: SelfTestPart[] = parts.flatMap(({ partId, label, defect }) =>
    label === 'unknown'
      ? []
      : [
          {
            partId,
            label,
            ...(defect !== undefined && { defect }),
            load: async () => sampleOfStored(await shelf.load(partId, 'all')),
          },
        ],
  )
  for (const { partId, detail } of damaged) {
    shown.push({ partId, label: 'good', load: () => Promise.reject(new Error(detail)) })
  }
  return selfTest({
    parts: shown,
    inspector: host,
    deadlineMs: DEADLINE_MS,
    clock,
    signal,
    async mayGoOn(patience) {
      while (host.unanswered > 0) await delay(LOOK_MS, patience, clock)
    },
    recordedOf: async (repositoryId) => recordedAtGate(ledger, { product, repositoryId }),
  })
}

/** What the gate saw of the golden parts when it let this repository through; undefined when the ledger does not say. */
function recordedAtGate(
  ledger: Pick<Ledger, 'history'>,
  { product, repositoryId }: { readonly product: string; readonly repositoryId: string },
): readonly GoldenJudgement[] | undefined {
  try {
    for (const { figures } of ledger.history({ product, repositoryId, limit: MOST_ENTRIES })) {
      const parsed = goldenRecordSchema.safeParse(figures)
      if (parsed.success) return parsed.data.gate.golden
    }
  } catch {
    // Then only the labels are compared. The follower tells people of a damaged ledger.
  }
  return undefined
}
