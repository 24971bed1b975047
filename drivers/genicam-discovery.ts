import { openAravis } from './aravis-library.ts'

export interface GenicamDevice {
  /** As `camera` in the config takes it. */
  readonly id: string
  /** IP address, or its place on the USB. */
  readonly address: string
  /** `GigEVision` or `USB3Vision`. */
  readonly protocol: string
}

/**
 * Asks every network for cameras. Blocks for a second or so: for command lines, not for the daemon.
 *
 * @throws DriverError `DRIVER_UNAVAILABLE` without libaravis: what to install
 */
export function listGenicamDevices(): GenicamDevice[] {
  const aravis = openAravis()
  aravis.direct('updateDevices')
  return Array.from({ length: aravis.direct('deviceCount') }, (_, index) => ({
    id: aravis.direct('deviceId', index) ?? '',
    address: aravis.direct('deviceAddress', index) ?? '',
    protocol: aravis.direct('deviceProtocol', index) ?? '',
  }))
}
