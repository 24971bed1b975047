/** The drift watch of a running station: every good part is told to it, its windows survive a restart. */
import { readFile } from 'node:fs/promises'
import { messageOf } from '../drivers/message-of.ts'
import {
  driftStateSchema,
  startDrift,
  watchDrift,
  type DriftFinding,
  type DriftState,
} from '../models/drift.ts'
import { replaceFile } from '../models/durable-folder.ts'
import type { VerdictPayload } from './messages.ts'

export interface ScoreWatchOptions {
  readonly file: string
  /** Good parts have begun to look different, or like before again: told once per change. */
  onDrift(finding: DriftFinding): void
  /** The windows could not be read: they are filled anew. */
  onTrouble(detail: string): void
}

export async function openScoreWatch(options: ScoreWatchOptions): Promise<ScoreWatch> {
  const text = await readFile(options.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') options.onTrouble(`${options.file} cannot be read: ${error.message}`)
    return undefined
  })
  return new ScoreWatch(options, text === undefined ? undefined : stateOf(text, options))
}

export class ScoreWatch {
  readonly #options: ScoreWatchOptions
  #state: DriftState | undefined
  #isSaved = true

  constructor(options: ScoreWatchOptions, state: DriftState | undefined) {
    this.#options = options
    this.#state = state
  }

  /** Parts that did not pass say nothing of good ones. */
  see({ outcome, distance, condition, provenance }: VerdictPayload): void {
    if (outcome !== 'pass' || distance === undefined || provenance === undefined || condition === 'none')
      return
    const { repositoryId } = provenance
    const before = this.#state?.repositoryId === repositoryId ? this.#state : startDrift(repositoryId)
    const { state, finding } = watchDrift(before, { repositoryId, condition, distance })
    this.#state = state
    this.#isSaved = false
    if (finding === undefined || finding.hasDrifted === before.conditions[condition].hasDrifted) return
    this.#options.onDrift(finding)
  }

  /** What has come since the last time is lost with the power. */
  async save(): Promise<void> {
    if (this.#isSaved || this.#state === undefined) return
    const state = this.#state
    await replaceFile(this.#options.file, Buffer.from(JSON.stringify(state)))
    this.#isSaved = this.#state === state
  }
}

function stateOf(text: string, { file, onTrouble }: ScoreWatchOptions): DriftState | undefined {
  try {
    return driftStateSchema.parse(JSON.parse(text))
  } catch (error) {
    onTrouble(`${file} is damaged, the watch begins anew: ${messageOf(error)}`)
    return undefined
  }
}
