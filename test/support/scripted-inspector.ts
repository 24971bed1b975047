/** An inspector for the host that does what the part's id says: what a model can do to its process, without a model. */
import type { HostedInspector, InspectorDescription, InspectorOptions } from '../../models/host-protocol.ts'
import type { Inspection } from '../../models/inspection.ts'
import { ModelError } from '../../models/model-error.ts'
import { block } from './block.ts'

export function makeInspector(options: InspectorOptions, onStep: (step: string) => void): HostedInspector {
  let repositoryId = options.repositoryFolder ?? 'none'
  const describe = (): InspectorDescription => ({
    bundleId: options.bundleFolder,
    backend: `scripted:${process.pid}`,
    repositoryId,
  })
  return {
    async open() {
      if (options.bundleFolder === 'refused')
        throw new ModelError('MODEL_MISMATCH', 'the golden vectors differ')
      if (options.bundleFolder === 'never-opens') block(60_000)
    },
    async inspect(sample) {
      onStep('scripted-step')
      const [behaviour, argument] = (sample.trigger.partId ?? 'ok').split(' ')
      if (behaviour === 'kill') process.kill(process.pid, 'SIGKILL')
      if (behaviour === 'exit') process.exit(3)
      if (behaviour === 'throw') throw new Error('scripted')
      if (behaviour === 'block') block(Number(argument))
      if (behaviour === 'undecided') {
        const { condition, absent } = sample
        return {
          kind: 'undecided',
          condition,
          absent,
          reason: 'no-repository',
          detail: 'scripted',
          flags: [],
        }
      }
      const pixels = sample.frames.rgb?.pixels
      return decided({
        bundleId: options.bundleFolder,
        repositoryId,
        backend: `scripted:${process.pid}`,
        // Proves that the right sample arrived whole.
        distance: pixels ? pixels.reduce((sum, value) => sum + value, 0) : -1,
      })
    },
    describe,
    async activate(folder) {
      if (folder === 'refused') throw new Error('not a repository')
      repositoryId = folder
      return describe()
    },
    async close() {},
  }
}

function decided(
  what: Pick<Inspection & { kind: 'decided' }, 'bundleId' | 'repositoryId' | 'backend' | 'distance'>,
): Inspection {
  return {
    kind: 'decided',
    condition: 'rgb-only',
    absent: {},
    normality: 0.5,
    threshold: 0.05,
    bankScores: {},
    map: new Float32Array(224 * 224),
    placement: { frameWidth: 40, frameHeight: 40, side: 100, padTop: 30, padLeft: 30 },
    regions: [],
    flags: [],
    timingMs: {},
    ...what,
  }
}
