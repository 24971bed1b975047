/**
 * The Driver contract.
 *
 * - A constructor only stores. `open` works, `close` undoes it; both may be called twice, in any state.
 * - `open` resolves when a capture may follow. It rejects with DriverError `DRIVER_UNAVAILABLE` if the device is absent.
 * - `capture` returns the one frame exposed at or after the trigger. One capture at a time per driver.
 * - Every wait listens to the AbortSignal; an abort rejects with the signal's reason. A driver that cannot obey
 *   (a vendor SDK that blocks) is still bounded: `supervised` stops waiting for it and reopens it.
 * - `DRIVER_BAD_FRAME`: this frame is unusable, the sensor lives. `DRIVER_LOST`: the sensor is gone, reopen it.
 *   Any other rejection counts as lost.
 * - A driver that notices between captures that its device is gone calls `onLost`, once: nobody has to ask for a part first.
 *   It stays open until it is closed, and every capture rejects with `DRIVER_LOST`.
 * - After `close` has resolved nothing arrives and nothing of the device is held.
 * - The frame's buffer belongs to the caller, who may transfer it away.
 */
import type { FrameOf, Modality } from './frame.ts'

/** One request to inspect one part. Every later record carries its id. */
export interface Trigger {
  readonly id: string
  /** Daemon's monotonic clock (`performance.now()`), milliseconds. */
  readonly atMs: number
  readonly source: TriggerSource
  /** The line's name for the part, if it told us; a replay station uses it to pick the stored part. */
  readonly partId?: string
}

export type TriggerSource =
  'timer' | 'mqtt' | 'file' | 'stdin' | 'serial' | 'modbus' | 'demo' | 'teach' | 'bench'

export interface Driver<M extends Modality> {
  readonly name: string
  readonly modality: M
  open(signal: AbortSignal, onLost?: (error: DriverError) => void): Promise<void>
  capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>>
  close(): Promise<void>
  /** What the open device says of itself, for `doctor sensors` and the log; absent where there is nothing to say. */
  report?(signal: AbortSignal): Promise<DeviceReport>
}

export interface DeviceReport {
  /** Maker, model, serial number, address: as far as the device tells. */
  readonly identity?: string
  readonly temperatureCelsius?: number
  /** Since it was opened, by name: frames, incomplete frames, lost packets, dropped frames. */
  readonly counters: Readonly<Record<string, number>>
  /** What is wrong with its settings or this machine's, each with its fix. */
  readonly advice: readonly { readonly found: string; readonly fix: string }[]
}

export type DriverErrorCode = 'DRIVER_UNAVAILABLE' | 'DRIVER_TIMEOUT' | 'DRIVER_BAD_FRAME' | 'DRIVER_LOST'

export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly code: DriverErrorCode

  constructor(code: DriverErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What is known of a part before it is inspected. Only synthetic and replayed parts have one. */
export interface Truth {
  readonly partId: string
  /** `good`, or the defect's name (the folder's name in MVTec 3D-AD's layout). */
  readonly label: string
  /** 8-bit mask, 0 = good pixel, non-zero = defect, in the frame's size; absent for good parts without one. */
  readonly mask?: { readonly width: number; readonly height: number; readonly pixels: Uint8Array }
}

/** The two drivers of a station. `truthOf` is there when the parts are synthetic or replayed. */
export interface StationDrivers {
  readonly rgb?: Driver<'rgb'>
  readonly xyz?: Driver<'xyz'>
  truthOf?(trigger: Trigger): Promise<Truth>
}
