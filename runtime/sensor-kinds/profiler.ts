/** Laser line profilers in the config, and from there to a driver. */
import * as z from 'zod'
import type { ByteLinkEvents } from '../../drivers/byte-link.ts'
import { monotonicClock, type Clock } from '../../drivers/clock.ts'
import type { Driver } from '../../drivers/driver.ts'
import { AsciiLines } from '../../drivers/profiler/ascii-lines.ts'
import { LengthPrefixed } from '../../drivers/profiler/length-prefixed.ts'
import type { ProfileParser } from '../../drivers/profiler/profile.ts'
import { profileRegisters } from '../../drivers/profiler/profile-registers.ts'
import type { OpenProfileSource } from '../../drivers/profiler/profile-source.ts'
import { profileStream } from '../../drivers/profiler/profile-stream.ts'
import { Profiler } from '../../drivers/profiler/profiler.ts'
import { sampleBytes, type SampleLayout } from '../../drivers/profiler/sample-layout.ts'
import { StxFrames } from '../../drivers/profiler/stx-frames.ts'
import { openSerialLink } from '../../drivers/serial-port.ts'
import { openTcpLink } from '../../drivers/tcp-link.ts'
import { sharedKeys } from './sensor.ts'
import { serialKeys } from './serial-keys.ts'

const host = z.string().min(1).max(253).describe('Name or address of the sensor.')
const port = z.int().min(1).max(65_535)
const unit = z.int().min(0).max(255).default(1).describe('Number of the Modbus slave.')
const link = z.discriminatedUnion('via', [
  z.strictObject({ via: z.literal('tcp'), host, port: port.describe('TCP port; Gocator ASCII has 8190.') }),
  z.strictObject({ via: z.literal('serial'), ...serialKeys }),
  z.strictObject({
    via: z.literal('modbus-tcp'),
    host,
    port: port.default(502).describe('TCP port.'),
    unit,
  }),
  z.strictObject({ via: z.literal('modbus-rtu'), ...serialKeys, unit }),
])

const scaleOf = (perHeightCode: z.ZodType<number>) => ({
  millimetresPerHeightCode: perHeightCode.describe(
    'Millimetres in one step of the heights that are sent; negative turns the axis around.',
  ),
  heightOffsetMillimetres: z
    .number()
    .min(-10_000)
    .max(10_000)
    .default(0)
    .describe('Where height 0 lies, as distance along the map’s z axis.'),
})
const scale = z
  .number()
  .min(-1000)
  .max(1000)
  .refine((value) => value !== 0, 'expected another number than 0')
const invalidCodes = (codes: number[]) =>
  z
    .array(z.number().min(-4_294_967_296).max(4_294_967_296))
    .max(16)
    .default(codes)
    .describe('Heights that mean: no return. NaN always does.')

const column = z.int().min(0).max(1000)
const millisecondsPerStamp = z
  .number()
  .min(0.000_001)
  .max(1000)
  .default(0.001)
  .describe('One step of the time stamps.')
const asciiKeys = {
  separator: z.string().min(1).max(4).default(',').describe('Between two numbers of a line.'),
  stampColumn: column
    .optional()
    .describe(
      'Column of the time stamp, counted from 0. Absent: the lines have none, and profiles are dated by their arrival.',
    ),
  millisecondsPerStamp,
  firstColumn: column
    .default(1)
    .describe('Column of the first height, counted from 0; all after it are heights.'),
  invalidText: z.string().min(1).max(20).default('INVALID').describe('Stands for a height without a return.'),
  invalidCodes: invalidCodes([]),
}
const counterColumn = column.describe('Column of the encoder’s or trigger’s count, counted from 0.')

const offset = z.int().min(0).max(4096)
const layoutKeys = {
  stampAtByte: offset
    .optional()
    .describe(
      'Where the time stamp (four bytes) lies. Absent: there is none, and profiles are dated by their arrival.',
    ),
  millisecondsPerStamp,
  counterBytes: z
    .literal([2, 4])
    .default(4)
    .describe('Width of the counter; of a longer one the lower bytes do.'),
  sample: z
    .enum(['int16', 'uint16', 'int32', 'float32'])
    .default('int16')
    .describe('Type of the heights, and of the positions.'),
  order: z
    .enum(['z', 'xz'])
    .default('z')
    .describe('Heights alone, or position along the laser line and height in turn.'),
}
const millimetresPerPositionCode = scale
  .default(0.001)
  .describe('Millimetres in one step of the positions that are sent, with order xz.')

const format = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('gocator-ascii'),
      ...asciiKeys,
      counterColumn: counterColumn.default(0),
      ...scaleOf(scale.default(0.001)),
    }),
    z.strictObject({
      kind: z.literal('ascii'),
      ...asciiKeys,
      counterColumn: counterColumn.optional(),
      ...scaleOf(scale),
    }),
    z.strictObject({
      kind: z.literal('sick-stx'),
      lengthBytes: z.literal([1, 2]).default(1).describe('Width of the length after STX.'),
      lengthUnitBytes: z.literal([1, 2]).default(2).describe('The length counts bytes or words.'),
      commandCode: z
        .int()
        .min(0)
        .max(65_535)
        .default(2)
        .describe('Command of the frames that carry profiles; others are skipped.'),
      counterAtByte: offset
        .optional()
        .describe(
          'Where the counter lies, counted from the first byte after the command. Absent: there is none.',
        ),
      samplesAtByte: offset.default(4).describe('Where the samples begin; they go on to the end.'),
      ...layoutKeys,
      order: layoutKeys.order.default('xz'),
      invalidCodes: invalidCodes([0x7fff]),
      millimetresPerPositionCode,
      ...scaleOf(scale),
    }),
    z.strictObject({
      kind: z.literal('length-prefixed'),
      lengthBytes: z
        .literal([2, 4])
        .default(4)
        .describe('Width of the length before each message, little-endian.'),
      lengthIncludesItself: z.boolean().default(true).describe('The length counts its own bytes, too.'),
      typeAtByte: offset
        .optional()
        .describe('Where the message’s type (two bytes) lies, counted from after the length.'),
      typeValue: z.int().min(0).max(65_535).optional().describe('Type of the messages that are profiles.'),
      counterAtByte: offset
        .optional()
        .describe('Where the counter lies, counted from after the length. Absent: there is none.'),
      samplesAtByte: offset.describe('Where the samples begin; they go on to the end.'),
      ...layoutKeys,
      invalidCodes: invalidCodes([-32_768]),
      millimetresPerPositionCode,
      ...scaleOf(scale),
    }),
    z.strictObject({
      kind: z.literal('registers'),
      table: z.enum(['holding', 'input']).default('holding').describe('Which registers.'),
      firstRegister: z.int().min(0).max(65_535).default(0).describe('Counted from 0: 40001 is 0.'),
      counterAtByte: offset.default(0).describe('Where the counter lies, in bytes from the first register.'),
      samplesAtByte: offset.default(4).describe('Where the samples begin, in bytes from the first register.'),
      ...layoutKeys,
      invalidCodes: invalidCodes([0]),
      pollMs: z.int().min(1).max(10_000).default(10).describe('Pause from one reading to the next.'),
      timeoutMs: z.int().min(10).max(10_000).default(300).describe('Longest wait for an answer.'),
      millimetresPerPositionCode,
      ...scaleOf(scale),
    }),
  ])
  .describe(
    'How the sensor sends its profiles: what a maker’s sensors do, with keys for what can be set there.',
  )

const command = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\0-\xff]+$/, 'expected bytes: write them as "\\x02"')

export const profilerSensor = z
  .strictObject({
    kind: z.literal('profiler'),
    ...sharedKeys('xyz'),
    link: link.describe('How the sensor is connected.'),
    format,
    map: z
      .strictObject({
        profiles: z.int().min(2).max(8192).describe('Profiles of one part: the height of its map.'),
        samples: z.int().min(2).max(8192).describe('Samples of one profile: the width of the map.'),
        startMillimetres: z
          .number()
          .min(-10_000)
          .max(10_000)
          .default(0)
          .describe('Position of the first sample along the laser line.'),
        pitchMillimetres: z
          .number()
          .min(0.0001)
          .max(1000)
          .optional()
          .describe('From one sample to the next; needed unless the sensor sends positions.'),
        millimetresPerCount: z
          .number()
          .min(0.000_001)
          .max(1000)
          .describe('The part’s way while the counter rises by one.'),
        countsPerProfile: z
          .int()
          .min(-1_000_000)
          .max(1_000_000)
          .refine((value) => value !== 0, 'expected another number than 0')
          .default(1)
          .describe('Counts from one profile to the next; negative where the counter falls.'),
        counterBits: z
          .literal([16, 32, 64])
          .default(32)
          .describe('The counter wraps around after so many bits; 64 never does.'),
        restartsAt: z
          .int()
          .min(0)
          .max(4_294_967_295)
          .optional()
          .describe(
            'Counter of a part’s first profile, where the sensor counts each part anew. Without it a map begins with the first profile after the trigger.',
          ),
        reorderedProfiles: z
          .int()
          .min(0)
          .max(1000)
          .default(8)
          .describe('A profile may come this many places late; then its place stays empty.'),
        limitMs: z
          .int()
          .min(10)
          .max(60_000)
          .default(400)
          .describe('A map that is not complete so long after its first profile is taken as it is.'),
        mostMissingShare: z
          .number()
          .min(0)
          .max(1)
          .default(0.25)
          .describe('With a larger share of its profiles missing a map is not used.'),
      })
      .describe('How profiles become a map.'),
    latencyMs: z
      .number()
      .min(0)
      .max(10_000)
      .default(0)
      .describe(
        'From a profile’s exposure to its last byte here: with a slow serial port most of it is its sending.',
      ),
    earlyMs: z
      .number()
      .min(0)
      .max(5)
      .default(5)
      .describe('Profiles exposed so long before the trigger still belong to the part.'),
    silenceMs: z
      .int()
      .min(100)
      .max(600_000)
      .optional()
      .describe(
        'The sensor is lost when nothing came for so long. Leave it out where it is silent while the line stands still.',
      ),
    openCommand: command.optional().describe('Sent after connecting: makes the sensor run ("start\\r\\n").'),
    startCommand: command
      .optional()
      .describe('Sent for each trigger; only profiles that come afterwards belong to the part.'),
    stopCommand: command.optional().describe('Sent when the map is there, or given up.'),
    pollCommand: command
      .optional()
      .describe('Asks for one profile, for sensors that only answer ("\\x02...").'),
    pollMs: z.int().min(1).max(10_000).optional().describe('Pause between two such questions.'),
  })
  .superRefine((sensor, context) => {
    const refuse = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    const isModbus = sensor.link.via === 'modbus-tcp' || sensor.link.via === 'modbus-rtu'
    if (isModbus !== (sensor.format.kind === 'registers')) {
      refuse(['format', 'kind'], 'expected registers over Modbus, and only there')
    }
    if (isModbus) {
      for (const key of ['openCommand', 'startCommand', 'stopCommand', 'pollCommand'] as const) {
        if (sensor[key] !== undefined) refuse([key], 'expected none over Modbus')
      }
    }
    if ((sensor.pollCommand === undefined) !== (sensor.pollMs === undefined)) {
      refuse(['pollMs'], 'expected pollCommand and pollMs, or neither')
    }
    const sendsPositions = 'order' in sensor.format && sensor.format.order === 'xz'
    if (!sendsPositions && sensor.map.pitchMillimetres === undefined) {
      refuse(['map', 'pitchMillimetres'], 'expected it, because the sensor sends no positions')
    }
    if (sensor.map.limitMs >= sensor.deadlineMs) {
      refuse(['map', 'limitMs'], `expected less than deadlineMs (${sensor.deadlineMs})`)
    }
    const { format } = sensor
    if (
      format.kind === 'length-prefixed' &&
      (format.typeAtByte === undefined) !== (format.typeValue === undefined)
    ) {
      refuse(['format', 'typeValue'], 'expected typeAtByte and typeValue, or neither')
    }
    if (format.kind === 'registers' && format.counterAtByte % 2 !== 0) {
      refuse(['format', 'counterAtByte'], 'expected an even number: registers have two bytes')
    }
  })

export type ProfilerSensor = z.infer<typeof profilerSensor>
type Format = ProfilerSensor['format']

export function makeProfiler(sensor: ProfilerSensor, clock: Clock = monotonicClock): Driver<'xyz'> {
  const { link, format, map, startCommand, stopCommand, silenceMs } = sensor
  const { limitMs, mostMissingShare, restartsAt, pitchMillimetres = 0, ...geometry } = map
  return new Profiler({
    ...geometry,
    pitchMillimetres,
    ...(restartsAt !== undefined && { restartsAt }),
    millimetresPerHeightCode: format.millimetresPerHeightCode,
    heightOffsetMillimetres: format.heightOffsetMillimetres,
    millimetresPerPositionCode:
      'millimetresPerPositionCode' in format ? format.millimetresPerPositionCode : 1,
    name: sensor.name,
    identity: `${format.kind} at ${'host' in link ? `${link.host}:${link.port}` : link.path}`,
    openSource: sourceOf(sensor, clock),
    latencyMs: sensor.latencyMs,
    ...stampsOf(sensor),
    earlyMs: sensor.earlyMs,
    mapLimitMs: limitMs,
    mostMissing: mostMissingShare,
    ...(startCommand !== undefined && { startCommand: bytesOf(startCommand) }),
    ...(stopCommand !== undefined && { stopCommand: bytesOf(stopCommand) }),
    ...(silenceMs !== undefined && { silenceMs }),
    clock,
  })
}

/** How profiles are dated. A serial port holds nothing back. */
function stampsOf({
  link,
  format,
}: ProfilerSensor): { stampMs: number } | { endsAfterMiss: true } | undefined {
  const hasStamps = 'stampColumn' in format ? format.stampColumn !== undefined : 'stampAtByte' in format
  if (hasStamps) return { stampMs: format.millisecondsPerStamp }
  return link.via === 'tcp' ? { endsAfterMiss: true } : undefined
}

function sourceOf(sensor: ProfilerSensor, clock: Clock): OpenProfileSource {
  const { link, format, map, openCommand, pollCommand, pollMs } = sensor
  if (format.kind === 'registers') {
    if (link.via === 'tcp' || link.via === 'serial')
      throw new Error('registers without Modbus; the schema forbids it')
    return profileRegisters({
      ...format,
      address: link.via === 'modbus-tcp' ? { ...link, transport: 'tcp' } : { ...link, transport: 'rtu' },
      unit: link.unit,
      samples: map.samples,
      layout: { ...layoutOf(format, 'big'), counterAtByte: format.counterAtByte },
      clock,
    })
  }
  return profileStream({
    openLink: (events: ByteLinkEvents, signal) => {
      switch (link.via) {
        case 'tcp':
          return openTcpLink({ ...link, ...events, clock, signal })
        case 'serial':
          return openSerialLink({ ...link, ...events, signal })
        case 'modbus-tcp':
        case 'modbus-rtu':
          throw new Error('a stream over Modbus; the schema forbids it')
      }
    },
    makeParser: () => parserOf(format, map.samples, link.via === 'serial'),
    ...(openCommand !== undefined && { openCommand: bytesOf(openCommand) }),
    ...(pollCommand !== undefined &&
      pollMs !== undefined && { poll: { command: bytesOf(pollCommand), everyMs: pollMs } }),
    clock,
  })
}

/** More samples than the map has are still a profile, of a wrong width: then the message can say how many came. */
const MOST_TIMES_TOO_WIDE = 4

function parserOf(
  format: Exclude<Format, { kind: 'registers' }>,
  samples: number,
  isSerial: boolean,
): ProfileParser {
  const mostSamples = MOST_TIMES_TOO_WIDE * samples
  switch (format.kind) {
    case 'gocator-ascii':
    case 'ascii': {
      const { counterColumn, stampColumn, ...rest } = format
      const columns = {
        ...(counterColumn !== undefined && { counterColumn }),
        ...(stampColumn !== undefined && { stampColumn }),
      }
      return new AsciiLines({ ...rest, ...columns, mostSamples, skipsFirst: isSerial })
    }
    case 'sick-stx': {
      const layout = layoutOf(format, 'big')
      return new StxFrames({
        ...format,
        command: format.commandCode,
        layout,
        mostDataBytes: bytesIn(layout, mostSamples),
      })
    }
    case 'length-prefixed': {
      const { typeAtByte, typeValue } = format
      const layout = layoutOf(format, 'little')
      return new LengthPrefixed({
        ...format,
        ...(typeAtByte !== undefined &&
          typeValue !== undefined && { type: { atByte: typeAtByte, value: typeValue } }),
        layout,
        mostBytes: bytesIn(layout, mostSamples),
      })
    }
  }
}

function layoutOf(
  format: Extract<Format, { kind: 'sick-stx' | 'length-prefixed' | 'registers' }>,
  byteOrder: SampleLayout['byteOrder'],
): SampleLayout {
  const { counterAtByte, stampAtByte, ...rest } = format
  return {
    ...rest,
    byteOrder,
    ...(counterAtByte !== undefined && { counterAtByte }),
    ...(stampAtByte !== undefined && { stampAtByte }),
  }
}

const bytesIn = (layout: SampleLayout, samples: number): number =>
  layout.samplesAtByte + samples * sampleBytes(layout) * (layout.order === 'xz' ? 2 : 1)

/** Each character is a byte. */
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
