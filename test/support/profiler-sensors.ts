/** Profiler sections of a config, over the simulator's formats and pymodbus. */
import * as z from 'zod'
import type { Driver } from '../../drivers/driver.ts'
import { makeProfiler, profilerSensor } from '../../runtime/sensor-kinds/profiler.ts'

/** A map takes 100 ms of the simulator's 400 profiles a second. */
export const SAMPLES = 60
export const PROFILES = 40
export const PROFILES_PER_SECOND = 400

const formats = {
  ascii: { kind: 'gocator-ascii' },
  stx: { kind: 'sick-stx', counterAtByte: 0, samplesAtByte: 4, millimetresPerHeightCode: 0.001 },
  length: {
    kind: 'length-prefixed',
    typeAtByte: 0,
    typeValue: 7,
    counterAtByte: 2,
    samplesAtByte: 6,
    millimetresPerHeightCode: 0.001,
  },
  registers: {
    kind: 'registers',
    table: 'input',
    counterBytes: 2,
    samplesAtByte: 2,
    millimetresPerHeightCode: 0.001,
    pollMs: 2,
  },
} as const

export interface ProfilerOverrides {
  readonly map?: Partial<z.input<typeof profilerSensor>['map']>
  readonly startCommand?: string
  readonly silenceMs?: number
  readonly deadlineMs?: number
  readonly format?: Record<string, unknown>
}

/** For tests that are not about time: a machine that stands still for a moment leaves no hole in a map. */
export const patient = { deadlineMs: 20_000, map: { limitMs: 5000 } } satisfies ProfilerOverrides
/** The same over Modbus, where profiles come slowly. */
export const patientRegisters = {
  ...patient,
  format: { timeoutMs: 5000 },
  map: { ...patient.map, profiles: 10, mostMissingShare: 0.8 },
} satisfies ProfilerOverrides

export function profilerOver(
  link: z.input<typeof profilerSensor>['link'],
  format: keyof typeof formats,
  { map, format: formatKeys, ...keys }: ProfilerOverrides = {},
): Driver<'xyz'> {
  const sensor = profilerSensor.parse({
    kind: 'profiler',
    name: 'profiler',
    link,
    format: { ...formats[format], ...formatKeys },
    map: {
      profiles: PROFILES,
      samples: SAMPLES,
      pitchMillimetres: 0.1,
      millimetresPerCount: 0.05,
      limitMs: 300,
      ...(format === 'registers' && { counterBits: 16 }),
      ...map,
    },
    earlyMs: 0,
    ...keys,
  })
  return makeProfiler(sensor)
}
