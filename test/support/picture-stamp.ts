/** The time of its exposure in a picture of fake-3d-camera.c. */
import type { RgbFrame } from '../../drivers/frame.ts'

/** CLOCK_MONOTONIC where `performance.now()` has its zero. */
const ZERO_NS = process.hrtime.bigint() - BigInt(Math.round(performance.now() * 1e6))

/** CLOCK_MONOTONIC. */
export function pictureStampNs({ pixels }: RgbFrame): bigint {
  // Grey became three equal channels.
  return Buffer.from(Array.from({ length: 8 }, (_, index) => pixels[index * 3]!)).readBigUInt64LE()
}

/** @returns on the daemon's monotonic clock */
export const stampMs = (stampNs: bigint): number => Number(stampNs - ZERO_NS) / 1e6
