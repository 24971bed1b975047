import type { Clock } from '../../drivers/clock.ts'
import type { LineLinks } from '../links/line-links.ts'
import { ModbusOutput } from './modbus.ts'
import type { OutputConfig } from './output-config.ts'
import type { OnDropped, Output } from './output.ts'
import { SerialOutput } from './serial.ts'

export interface OutputsOptions {
  readonly links: Pick<LineLinks, 'serial' | 'modbus'>
  readonly clock: Clock
  readonly onDropped: OnDropped
}

/** The config's `outputs`. */
export function openOutputs(
  outputs: readonly OutputConfig[],
  { links, clock, onDropped }: OutputsOptions,
): readonly Output[] {
  return outputs.map((output) => {
    switch (output.kind) {
      case 'serial':
        return new SerialOutput({ link: links.serial(output.link), output, clock, onDropped })
      case 'modbus':
        return new ModbusOutput({ link: links.modbus(output.link), output, clock, onDropped })
    }
  })
}
