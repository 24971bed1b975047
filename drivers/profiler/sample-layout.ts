import type { Profile } from './profile.ts'

/** Where a binary profile's numbers lie. Offsets count bytes from the beginning of the body that the framing leaves. */
export interface SampleLayout {
  readonly byteOrder: 'little' | 'big'
  /** Absent: the format has no counter. */
  readonly counterAtByte?: number
  readonly counterBytes: 2 | 4
  /** Four bytes. Absent: the format has no time stamp. */
  readonly stampAtByte?: number
  readonly samplesAtByte: number
  readonly sample: 'int16' | 'uint16' | 'int32' | 'float32'
  /** Heights alone, or position and height in turn. */
  readonly order: 'z' | 'xz'
  /** Heights that mean: no return. NaN always does. */
  readonly invalidCodes: readonly number[]
}

const STAMP_BYTES = 4

export const sampleBytes = ({ sample }: Pick<SampleLayout, 'sample'>): 2 | 4 =>
  sample === 'int16' || sample === 'uint16' ? 2 : 4

/** The whole rest of the body is samples. @returns why it is no profile, if it is none */
export function profileFrom(body: Buffer, layout: SampleLayout): Profile | string {
  const { byteOrder, counterAtByte, counterBytes, stampAtByte, samplesAtByte, order } = layout
  const stride = sampleBytes(layout) * (order === 'xz' ? 2 : 1)
  const rest = body.length - samplesAtByte
  if (rest < stride || rest % stride !== 0) {
    return `a frame of ${body.length} bytes, of which ${samplesAtByte} before the samples, of ${stride} bytes each`
  }
  if (counterAtByte !== undefined && counterAtByte + counterBytes > body.length) {
    return `a frame of ${body.length} bytes without the counter at ${counterAtByte}`
  }
  if (stampAtByte !== undefined && stampAtByte + STAMP_BYTES > body.length) {
    return `a frame of ${body.length} bytes without the time stamp at ${stampAtByte}`
  }
  const isLittle = byteOrder === 'little'
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const read = readerOf(view, layout.sample, isLittle)
  const count = rest / stride
  const heights = new Float64Array(count)
  const positions = order === 'xz' ? new Float64Array(count) : undefined
  const heightAt = samplesAtByte + stride - sampleBytes(layout)
  for (let i = 0; i < count; i++) {
    const height = read(heightAt + i * stride)
    heights[i] = layout.invalidCodes.includes(height) ? NaN : height
    if (positions) positions[i] = read(samplesAtByte + i * stride)
  }
  const counter =
    counterAtByte === undefined
      ? undefined
      : counterBytes === 2
        ? view.getUint16(counterAtByte, isLittle)
        : view.getUint32(counterAtByte, isLittle)
  const stamp = stampAtByte === undefined ? undefined : view.getUint32(stampAtByte, isLittle)
  return {
    heights,
    ...(counter !== undefined && { counter }),
    ...(stamp !== undefined && { stamp }),
    ...(positions && { positions }),
  }
}

function readerOf(view: DataView, sample: SampleLayout['sample'], isLittle: boolean): (at: number) => number {
  switch (sample) {
    case 'int16':
      return (at) => view.getInt16(at, isLittle)
    case 'uint16':
      return (at) => view.getUint16(at, isLittle)
    case 'int32':
      return (at) => view.getInt32(at, isLittle)
    case 'float32':
      return (at) => view.getFloat32(at, isLittle)
  }
}
