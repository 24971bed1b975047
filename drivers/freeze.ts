/**
 * Notices a sensor that repeats itself. Users of Frigate and librealsense were bitten by both kinds: a picture that
 * stands still while frames keep counting, and one old frame that is handed out again after the cable was pulled.
 *
 * Any real sensor has noise, so two exposures of a still scene differ somewhere in some ten thousand samples; they
 * are compared exactly, and only exact equality counts. A digital test pattern has none: switch the check off there.
 */
import type { Frame } from './frame.ts'
import type { Refusal } from './frame-refused.ts'

export interface FreezeWatch {
  /** Remembers the frame; says why it must not be used, if so. */
  see(frame: Frame): Refusal | undefined
}

/** What is kept of a frame: the samples of this many pixels at most, spread over the whole of it. */
const KEPT_PIXELS = 65_536

/** Outlives the driver: the picture that froze must not pass as new because the device was reopened. */
export function freezeWatch({ comparesPixels }: { comparesPixels: boolean }): FreezeWatch {
  let last: { exposedAtMs: number; kept: Buffer } | undefined
  let repeats = 0

  return {
    see(frame) {
      // The clock before the pixels: an old frame handed out again is late, not a standing picture.
      if (last && frame.exposedAtMs <= last.exposedAtMs) {
        const agoMs = (last.exposedAtMs - frame.exposedAtMs).toFixed(0)
        return { reason: 'stale', detail: `is no newer than the one before it, but ${agoMs} ms older` }
      }
      const kept = comparesPixels ? keptOf(frame) : Buffer.alloc(0)
      repeats = comparesPixels && last?.kept.equals(kept) ? repeats + 1 : 0
      last = { exposedAtMs: frame.exposedAtMs, kept }
      if (repeats === 0) return undefined
      return { reason: 'frozen', detail: `has exactly the pixels of the one before it (${repeats} in a row)` }
    },
  }
}

function keptOf(frame: Frame): Buffer {
  const samples = frame.modality === 'rgb' ? frame.pixels : frame.pointsMetres
  const bytesPerPixel = 3 * samples.BYTES_PER_ELEMENT
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const step = Math.ceil((frame.width * frame.height) / KEPT_PIXELS)
  if (step === 1) return Buffer.from(bytes)
  const kept = Buffer.alloc(Math.ceil(samples.length / 3 / step) * bytesPerPixel)
  for (let from = 0, to = 0; from < bytes.length; from += step * bytesPerPixel, to += bytesPerPixel) {
    bytes.copy(kept, to, from, from + bytesPerPixel)
  }
  return kept
}
