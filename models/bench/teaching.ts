/** What teaching so many parts takes: time, rows, bytes and memory, each in a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SupplySource } from './part-supply.ts'
import type { Timing } from './timing.ts'

export interface TeachingRequest {
  readonly source: SupplySource
  readonly bundleFolder: string
  /** The first so many good parts of the supply. */
  readonly parts: number
  /** At least 1; each teaches all over again. */
  readonly repeats: number
  readonly threads: number
  readonly seed: number
  readonly byteBudget: number
  readonly falseRejectRate: number
}

export interface Taught {
  readonly product: string
  /** Fewer than asked for where the supply has no more with both modalities. */
  readonly parts: number
  /** Of all banks. */
  readonly rows: number
  readonly bankBytes: number
  /** Making the samples, reading or rendering, included. */
  readonly encodeMs: number
  readonly teach: Timing
  /** The most that was resident since the process started: with the models open, with all parts encoded, after the first teaching. */
  readonly peak: {
    readonly openedBytes: number
    readonly encodedBytes: number
    readonly taughtBytes: number
  }
}

export type FromTeaching =
  { readonly kind: 'taught'; readonly taught: Taught } | { readonly kind: 'failed'; readonly message: string }

/** Encoding and teaching hundreds of parts on a slow machine; a child that hangs must not hang the bench. */
const DEADLINE_MS = 3_600_000

/** In the sources (.ts) or compiled (.js). */
const childFile = fileURLToPath(new URL(`./teaching-main${path.extname(import.meta.url)}`, import.meta.url))

/** @throws Error when the child fails or hangs. Rejects with the signal's reason, with the child killed. */
export async function measureTeaching(request: TeachingRequest, signal: AbortSignal): Promise<Taught> {
  const child = fork(childFile, [], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const ended = new AbortController()
  const waiting = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS), ended.signal])
  child.once('exit', (code, by) =>
    ended.abort(
      new Error(`teaching ${request.parts} parts ended without an answer (${by ?? `status ${code}`})`),
    ),
  )
  child.once('error', (cause) => ended.abort(cause))
  try {
    child.send(request, () => undefined)
    const [answer] = (await once(child, 'message', { signal: waiting })) as [FromTeaching]
    if (answer.kind === 'failed') throw new Error(`teaching ${request.parts} parts: ${answer.message}`)
    return answer.taught
  } catch (error) {
    throw waiting.aborted ? waiting.reason : error
  } finally {
    child.kill('SIGKILL')
  }
}
