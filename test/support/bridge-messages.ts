/** Messages of bridges, made by the table of docs/bridge-protocol.md and not by the code that reads them. */
import { crc32 } from 'node:zlib'

export interface MessageFields {
  readonly magic?: string
  readonly version?: number
  readonly headerBytes?: number
  readonly kind?: number
  readonly format?: number
  readonly flags?: number
  readonly width?: number
  readonly height?: number
  readonly sequence?: bigint
  readonly trigger?: bigint
  readonly exposedNs?: bigint
  readonly scale?: readonly [number, number, number]
  readonly offset?: readonly [number, number, number]
  readonly invalid?: number
  readonly focal?: readonly [number, number]
  readonly centre?: readonly [number, number]
  readonly payload?: Uint8Array
  readonly payloadBytes?: number
  readonly payloadCrc?: number
}

/** Of a 2x1 frame of C16 where nothing else is said. */
export function message(fields: MessageFields = {}): Buffer {
  const { payload = Buffer.from([1, 0, 2, 0]), scale = [1, 1, 1], offset = [0, 0, 0] } = fields
  const header = Buffer.alloc(128)
  header.write(fields.magic ?? 'RDRB', 0, 'latin1')
  header.writeUInt16LE(fields.version ?? 1, 4)
  header.writeUInt16LE(fields.headerBytes ?? 128, 6)
  header.writeUInt16LE(fields.kind ?? 2, 8)
  header.writeUInt16LE(fields.format ?? 3, 10)
  header.writeUInt32LE(fields.flags ?? 0, 12)
  header.writeUInt32LE(fields.width ?? 2, 16)
  header.writeUInt32LE(fields.height ?? 1, 20)
  header.writeBigUInt64LE(fields.sequence ?? 1n, 24)
  header.writeBigUInt64LE(fields.trigger ?? 0n, 32)
  header.writeBigUInt64LE(fields.exposedNs ?? 5_000_000n, 40)
  for (const axis of [0, 1, 2] as const) {
    header.writeDoubleLE(scale[axis], 48 + 8 * axis)
    header.writeDoubleLE(offset[axis], 72 + 8 * axis)
  }
  const lens = [fields.invalid ?? 0, ...(fields.focal ?? [0, 0]), ...(fields.centre ?? [0, 0])]
  for (const [index, value] of lens.entries()) header.writeFloatLE(value, 96 + 4 * index)
  header.writeUInt32LE(fields.payloadBytes ?? payload.length, 116)
  header.writeUInt32LE(fields.payloadCrc ?? crc32(payload), 120)
  header.writeUInt32LE(crc32(header.subarray(0, 124)), 124)
  return Buffer.concat([header, payload])
}

const KINDS = { hello: 1, log: 3, telemetry: 4 }

export function textMessage(kind: keyof typeof KINDS, value: unknown): Buffer {
  const payload = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return message({ kind: KINDS[kind], format: 0, width: 0, height: 0, sequence: 0n, exposedNs: 0n, payload })
}

export const helloMessage = (clock = 'monotonic') =>
  textMessage('hello', { name: 'bridge of the test', formats: ['C16'], clock })
