/** Connections to the line in the config. Triggers and outputs name the link that they use, so two may share one. */
import * as z from 'zod'
import { name } from '../sensor-kinds/sensor.ts'
import { serialKeys } from '../sensor-kinds/serial-keys.ts'

const nameKey = { name: name.describe('Triggers and outputs name it.') }
const register = z.int().min(0).max(65_535)
const modbusKeys = {
  unit: z.int().min(0).max(255).default(1).describe('Number of the Modbus slave.'),
  timeoutMs: z
    .int()
    .min(10)
    .max(2000)
    .default(300)
    .describe('Longest wait for an answer; then the link is opened anew.'),
  heartbeatRegister: register
    .optional()
    .describe(
      'Holding register in which 1 and 0 take turns while the station lives. Counted from 0: a manual’s 40001 is 0.',
    ),
  heartbeatEveryMs: z
    .int()
    .min(50)
    .max(60_000)
    .default(500)
    .describe('Period of the heartbeat; the PLC should wait for three.'),
}

const serial = z.strictObject({ kind: z.literal('serial'), ...nameKey, ...serialKeys })
const modbusTcp = z.strictObject({
  kind: z.literal('modbus-tcp'),
  ...nameKey,
  host: z.string().min(1).max(253).describe('Name or address of the PLC.'),
  port: z.int().min(1).max(65_535).default(502).describe('TCP port.'),
  ...modbusKeys,
})
const modbusRtu = z.strictObject({
  kind: z.literal('modbus-rtu'),
  ...nameKey,
  ...serialKeys,
  ...modbusKeys,
})

export const link = z.discriminatedUnion('kind', [serial, modbusTcp, modbusRtu])
export type LinkConfig = z.infer<typeof link>
export type SerialLinkConfig = z.infer<typeof serial>
export type ModbusLinkConfig = z.infer<typeof modbusTcp> | z.infer<typeof modbusRtu>

/** The serial port of a profiler that has one. */
function sensorPortOf(sensor: object = {}): string | undefined {
  if (!('link' in sensor) || typeof sensor.link !== 'object' || sensor.link === null) return undefined
  return 'path' in sensor.link && typeof sensor.link.path === 'string' ? sensor.link.path : undefined
}

/** Of all links and sensors. */
export function serialPortsOf({
  links,
  sensors,
}: {
  readonly links: readonly LinkConfig[]
  readonly sensors: { readonly xyz?: object | undefined }
}): readonly string[] {
  const paths = [...links.map((one) => ('path' in one ? one.path : undefined)), sensorPortOf(sensors.xyz)]
  return paths.filter((path) => path !== undefined)
}

interface Linked {
  readonly kind: string
  readonly link?: string
}

/** What is wrong with the names and ports of links, and where. */
export function linkProblems({
  links,
  triggers,
  outputs,
  sensors = {},
}: {
  readonly links: readonly LinkConfig[]
  readonly triggers: readonly Linked[]
  readonly outputs: readonly Linked[]
  readonly sensors?: { readonly xyz?: object | undefined }
}): { readonly path: (string | number)[]; readonly message: string }[] {
  const problems: { path: (string | number)[]; message: string }[] = []
  const sensorPort = sensorPortOf(sensors.xyz)
  links.forEach((one, index) => {
    const above = links.slice(0, index)
    if (above.some((other) => other.name === one.name)) {
      problems.push({
        path: ['links', index, 'name'],
        message: 'expected another name than a link above has',
      })
    }
    if (one.kind !== 'modbus-tcp' && above.some((other) => 'path' in other && other.path === one.path)) {
      problems.push({
        path: ['links', index, 'path'],
        message: 'a link above has this port: name that one where both are used',
      })
    }
    if (one.kind !== 'modbus-tcp' && one.path === sensorPort) {
      problems.push({
        path: ['links', index, 'path'],
        message: 'the sensor in sensors.xyz has this port: only one can open it',
      })
    }
  })
  for (const [section, users] of [
    ['triggers', triggers],
    ['outputs', outputs],
  ] as const) {
    users.forEach((user, index) => {
      if (user.link === undefined) return
      const fits = links.some(
        ({ name: known, kind }) => known === user.link && (kind === 'serial') === (user.kind === 'serial'),
      )
      if (fits) return
      const message = `expected the name of a ${user.kind} link in the section 'links'`
      problems.push({ path: [section, index, 'link'], message })
    })
  }
  return problems
}
