/** The thread that renders. Both sensors ask it for the same part one after the other, so the last few parts are kept. */
import { parentPort } from 'node:worker_threads'
import { photograph, scan, stagePart, type PartOptions, type StagedPart } from './render.ts'

export interface StudioRequest {
  readonly id: number
  readonly want: 'rgb' | 'xyz' | 'mask'
  readonly part: PartOptions
  readonly noiseSeed: number
}

export type StudioAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly samples: Uint8Array | Float32Array }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }

/** A staged 400 x 400 part holds about 14 MB. The one staged longest ago goes first. */
const KEPT_PARTS = 3

const staged = new Map<string, StagedPart>()

function stage(options: PartOptions): StagedPart {
  const key = JSON.stringify(options)
  const part = staged.get(key) ?? stagePart(options)
  staged.delete(key)
  staged.set(key, part)
  for (const oldest of staged.keys()) {
    if (staged.size <= KEPT_PARTS) break
    staged.delete(oldest)
  }
  return part
}

function samplesOf({ want, part, noiseSeed }: StudioRequest): Uint8Array | Float32Array {
  const scene = stage(part)
  switch (want) {
    case 'rgb':
      return photograph(scene, noiseSeed)
    case 'xyz':
      return scan(scene, noiseSeed)
    case 'mask':
      // A copy: the answer is transferred, the staged part stays.
      return scene.mask.slice()
  }
}

function answer(request: StudioRequest): StudioAnswer {
  try {
    return { kind: 'done', id: request.id, samples: samplesOf(request) }
  } catch (error) {
    return { kind: 'failed', id: request.id, reason: String(error) }
  }
}

const post = (message: StudioAnswer): void =>
  parentPort?.postMessage(message, message.kind === 'done' ? [message.samples.buffer as ArrayBuffer] : [])

parentPort?.on('message', (request: StudioRequest) => post(answer(request)))
post({ kind: 'ready' })
