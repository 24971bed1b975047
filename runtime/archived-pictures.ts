/** Pictures of archived parts, for people. Drawn one at a time: they wait for the line, never the other way round. */
import { PartError, sampleOfStored } from '../models/stored-part.ts'
import { drawFrame, drawHeatmap, drawOverlay } from './heatmap.ts'
import { HttpError } from './http-error.ts'
import type { PartArchive } from './part-archive.ts'

export type PictureKind = 'overlay' | 'heatmap' | 'picture'

export interface PictureRequest {
  readonly triggerId: string
  readonly kind: PictureKind
  /** Whoever asked reads no more. */
  isGone(): boolean
}

/** Longest side, pixels: what is kept of a frame is not larger (reduce.ts). */
const MOST_PIXELS = 800
/** Then the newest request is refused. A part of 12 megapixels is 6 MB of memory, and a tenth of a second. */
const MOST_WAITING = 16

/**
 * The returned function gives a PNG.
 * @throws PartError PART_UNKNOWN, PART_UNREADABLE; HttpError PICTURE_ABSENT, TOO_BUSY, CLIENT_GONE.
 */
export function picturesFrom(
  archive: Pick<PartArchive, 'find' | 'load'>,
): (request: PictureRequest) => Promise<Buffer> {
  let waiting = 0
  let turn: Promise<unknown> = Promise.resolve()
  return (request) => {
    if (waiting === MOST_WAITING) {
      const detail = `${MOST_WAITING} pictures are waited for already: ask again`
      return Promise.reject(new HttpError('TOO_BUSY', detail))
    }
    waiting += 1
    const drawn = turn.then(() => draw(archive, request)).finally(() => (waiting -= 1))
    turn = drawn.catch(() => undefined)
    return drawn
  }
}

async function draw(
  archive: Pick<PartArchive, 'find' | 'load'>,
  { triggerId, kind, isGone }: PictureRequest,
): Promise<Buffer> {
  if (isGone()) throw new HttpError('CLIENT_GONE', `nobody waits for the ${kind} of part '${triggerId}'`)
  const record = archive.find(triggerId)
  if (record === undefined) {
    throw new PartError('PART_UNKNOWN', `the archive holds no part of trigger '${triggerId}'`)
  }
  const absent = (what: string): HttpError =>
    new HttpError('PICTURE_ABSENT', `of part '${triggerId}' ${what} is kept: it has no ${kind}`)
  if (!record.hasFrames) throw absent('no frame')
  const part = await archive.load(triggerId, 'all')
  const sample = sampleOfStored(part)
  if (kind === 'picture') return drawFrame(sample, MOST_PIXELS)
  if (part.map === undefined) throw absent('no map')
  const decided = { map: part.map.values, placement: part.map.placement }
  if (kind === 'overlay') return drawOverlay(sample, decided, MOST_PIXELS)
  return drawHeatmap(sample, decided, { seq: record.seq, maxSize: MOST_PIXELS })
}
