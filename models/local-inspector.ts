/** The model in this process: for command-line jobs, and for the inference host, which is nothing but this behind a pipe. */
import type { Sample } from '../drivers/sample.ts'
import { BACKEND } from './engine.ts'
import { openBundle, verifyGolden, type Bundle } from './bundle.ts'
import { extractFeatures } from './extract.ts'
import { fuseTimed, fuseWith } from './fusion.ts'
import type { HostedInspector, InspectorDescription, InspectorOptions } from './host-protocol.ts'
import type { Inspection, Undecided, UndecidedReason } from './inspection.ts'
import { judge } from './judge.ts'
import { ModelError } from './model-error.ts'
import { openSearch, type Search } from './nearest.ts'
import { enlargeInspection } from './reduce.ts'
import { hotRegions } from './regions.ts'
import { loadRepository, type Repository } from './repository.ts'
import { startStepClock } from './step-clock.ts'

interface Opened {
  readonly bundle: Bundle
  readonly search: Search
}

export class LocalInspector implements HostedInspector {
  readonly #options: InspectorOptions
  readonly #onStep: (step: string) => void
  #opened: Opened | undefined
  #repository: Repository | undefined
  #repositoryProblem: string | undefined

  constructor(options: InspectorOptions, onStep: (step: string) => void = () => {}) {
    this.#options = options
    this.#onStep = onStep
  }

  /** @throws ModelError when the bundle is refused. A repository that is refused is no reason not to answer: see `describe`. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#opened) return
    const { bundleFolder, repositoryFolder, threads } = this.#options
    this.#onStep('open-bundle')
    const bundle = await openBundle(bundleFolder, { threads })
    try {
      signal.throwIfAborted()
      this.#onStep('verify-golden')
      await verifyGolden(bundle)
      signal.throwIfAborted()
      this.#onStep('open-repository')
      this.#opened = { bundle, search: await openSearch({ threads }) }
    } catch (error) {
      await bundle.release()
      throw error
    }
    if (repositoryFolder === undefined) return
    try {
      await this.activate(repositoryFolder)
    } catch (error) {
      this.#repositoryProblem = messageOf(error)
    }
  }

  async inspect(sample: Sample, signal: AbortSignal): Promise<Inspection> {
    const answer = (reason: UndecidedReason, detail: string): Undecided => ({
      kind: 'undecided',
      condition: sample.condition,
      absent: sample.absent,
      reason,
      detail,
      flags: [],
    })
    const opened = this.#opened
    const repository = this.#repository
    if (!opened) return answer('host-starting', 'the inspector is not open')
    if (!repository) return answer('no-repository', this.#repositoryProblem ?? 'nothing was taught yet')
    const clock = startStepClock((step) => {
      signal.throwIfAborted()
      this.#onStep(step)
    })
    try {
      const { bundle, search } = opened
      const extracted = await extractFeatures(sample, { ...this.#options, bundle, clock })
      if (extracted.condition === 'none') {
        const { absent, flags } = extracted
        return {
          ...answer('nothing-captured', 'no sensor gave a usable frame'),
          condition: 'none',
          absent,
          flags,
        }
      }
      const { input, features, step } = extracted
      clock.enter('judge')
      const fuse = fuseTimed(fuseWith(bundle), clock, 'judge')
      const judged = await judge(features, repository, { search, fuse })
      const inspection: Inspection = {
        kind: 'decided',
        ...judged,
        absent: input.absent,
        placement: input.placement,
        regions: hotRegions(judged.map, input.placement),
        flags: input.flags,
        bundleId: bundle.id,
        repositoryId: repository.id,
        backend: BACKEND,
        timingMs: clock.stop(),
        ...(this.#options.keepFeatures && { features }),
      }
      return enlargeInspection(inspection, sample, step)
    } catch (error) {
      if (signal.aborted) return answer('deadline', 'the deadline passed between two steps')
      return answer(reasonOf(error), messageOf(error))
    }
  }

  describe(): InspectorDescription {
    if (!this.#opened) throw new ModelError('MODEL_FAILED', 'the inspector is not open')
    return {
      bundleId: this.#opened.bundle.id,
      backend: BACKEND,
      ...(this.#repository && { repositoryId: this.#repository.id }),
      ...(this.#repository?.manifest.looks && { looks: this.#repository.manifest.looks }),
      ...(this.#repositoryProblem !== undefined && { repositoryProblem: this.#repositoryProblem }),
    }
  }

  /** @throws RepositoryError; the repository before stays in use. */
  async activate(repositoryFolder: string): Promise<InspectorDescription> {
    const { bundleId } = this.describe()
    this.#repository = await loadRepository(repositoryFolder, { bundleId })
    this.#repositoryProblem = undefined
    return this.describe()
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#repository = undefined
    await opened?.search.release()
    await opened?.bundle.release()
  }
}

function reasonOf(error: unknown): UndecidedReason {
  return error instanceof ModelError && error.code === 'NOT_FINITE' ? 'not-finite' : 'model-failed'
}

/** The message with its causes: what was seen first is often the one that helps. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`
}

export const makeInspector = (options: InspectorOptions, onStep: (step: string) => void): LocalInspector =>
  new LocalInspector(options, onStep)
