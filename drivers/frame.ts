/** A frame is what one sensor saw for one exposure. Plain, read-only data; whoever receives it owns its buffer. */

export type Modality = 'rgb' | 'xyz'

interface FrameHeader {
  /** Name of the sensor in the config. */
  readonly sensor: string
  /** Counts this sensor's frames since it was opened. Says nothing about the other sensor: never pair by it. */
  readonly sequence: number
  /** Start of exposure on the daemon's monotonic clock (`performance.now()`), milliseconds. */
  readonly exposedAtMs: number
  readonly width: number
  readonly height: number
  /** What to know about this frame though it can be used. Absent when there is nothing. */
  readonly remarks?: readonly FrameRemark[]
}

export interface FrameRemark {
  /** Kebab case, without the modality: `clock-step`, `profiles-missing`, `blurred`. It becomes a flag of the verdict. */
  readonly code: string
  /** One sentence for a person, with the numbers. Goes on from "<sensor>: the frame ...". */
  readonly detail: string
  /** The frame shows less than a good one would: the modality counts as degraded. */
  readonly degrades: boolean
}

export interface RgbFrame extends FrameHeader {
  readonly modality: 'rgb'
  /** Interleaved 8-bit R,G,B, row-major: `height * width * 3` bytes. */
  readonly pixels: Uint8Array
}

export interface XyzFrame extends FrameHeader {
  readonly modality: 'xyz'
  /**
   * Organised point map, camera frame, metres, row-major: `height * width * 3` floats.
   * A pixel without a return is exactly (0,0,0). Never NaN or infinite: the driver replaces them (`cleanPoints`),
   * because the paper's family of code tests `!= 0` and NaN would pass that test.
   */
  readonly pointsMetres: Float32Array
}

export type Frame = RgbFrame | XyzFrame
export type FrameOf<M extends Modality> = Extract<Frame, { modality: M }>
