import t from 'tap'
import { makeProfiler, profilerSensor } from '../../../runtime/sensor-kinds/profiler.ts'

const least = {
  kind: 'profiler',
  link: { via: 'tcp', host: '192.168.1.10', port: 8190 },
  format: { kind: 'gocator-ascii' },
  map: { profiles: 100, samples: 64, pitchMillimetres: 0.1, millimetresPerCount: 0.05 },
} as const

t.test('the least that must be said, and what the presets fill in', async (t) => {
  t.match(profilerSensor.parse(least), {
    name: 'xyz',
    format: {
      separator: ',',
      counterColumn: 0,
      firstColumn: 1,
      invalidText: 'INVALID',
      millimetresPerHeightCode: 0.001,
    },
    map: { countsPerProfile: 1, counterBits: 32, reorderedProfiles: 8, limitMs: 400, mostMissingShare: 0.25 },
    earlyMs: 5,
  })
  const stx = profilerSensor.parse({
    ...least,
    link: { via: 'serial', path: '/dev/serial/by-id/usb-FTDI' },
    format: { kind: 'sick-stx', millimetresPerHeightCode: 0.002 },
    map: { profiles: 100, samples: 64, millimetresPerCount: 0.05 },
  })
  t.match(stx, {
    link: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
    format: { lengthBytes: 1, lengthUnitBytes: 2, commandCode: 2, order: 'xz', invalidCodes: [0x7fff] },
  })
})

t.test('what cannot work is refused, where it stands', async (t) => {
  const modbus = { via: 'modbus-tcp', host: '192.168.1.10' }
  const registers = { kind: 'registers', millimetresPerHeightCode: 0.001 }
  const prefixed = { kind: 'length-prefixed', samplesAtByte: 6, millimetresPerHeightCode: 1 }
  const cases: [string, object, string][] = [
    ['registers without Modbus', { format: registers }, 'format.kind'],
    ['Modbus without registers', { link: modbus }, 'format.kind'],
    ['a command over Modbus', { link: modbus, format: registers, startCommand: 'start' }, 'startCommand'],
    ['a question without its pause', { pollCommand: '?' }, 'pollMs'],
    ['no pitch', { map: { ...least.map, pitchMillimetres: undefined } }, 'map.pitchMillimetres'],
    ['a map that takes longer than its capture may', { deadlineMs: 300 }, 'map.limitMs'],
    ['a type without its place', { format: { ...prefixed, typeValue: 7 } }, 'format.typeValue'],
    [
      'a counter across registers',
      { link: modbus, format: { ...registers, counterAtByte: 1 } },
      'format.counterAtByte',
    ],
    [
      'a scale of 0',
      { format: { kind: 'ascii', millimetresPerHeightCode: 0 } },
      'format.millimetresPerHeightCode',
    ],
    ['a counter that stands still', { map: { ...least.map, countsPerProfile: 0 } }, 'map.countsPerProfile'],
    ['a command that is no bytes', { startCommand: 'Ł' }, 'startCommand'],
    ['an unknown key', { format: { kind: 'gocator-ascii', colour: 1 } }, 'format'],
  ]
  for (const [what, change, path] of cases) {
    const { error } = profilerSensor.safeParse({ ...least, ...change })
    t.same(
      error?.issues.map((issue) => issue.path.join('.')),
      [path],
      what,
    )
  }
})

t.test('each link and format makes a closed driver', async (t) => {
  const serial = { via: 'serial', path: '/dev/none' } as const
  const formats = [
    [least.link, { kind: 'gocator-ascii' }],
    [serial, { kind: 'ascii', millimetresPerHeightCode: -0.01 }],
    [serial, { kind: 'sick-stx', millimetresPerHeightCode: 0.002 }],
    [least.link, { kind: 'length-prefixed', samplesAtByte: 0, millimetresPerHeightCode: 1 }],
    [
      { via: 'modbus-rtu', path: '/dev/none' },
      { kind: 'registers', millimetresPerHeightCode: 1 },
    ],
    [
      { via: 'modbus-tcp', host: '127.0.0.1', port: 1 },
      { kind: 'registers', millimetresPerHeightCode: 1 },
    ],
  ] as const
  for (const [link, format] of formats) {
    const driver = makeProfiler(profilerSensor.parse({ ...least, link, format, pollCommand: undefined }))
    t.match(driver, { name: 'xyz', modality: 'xyz' })
    if ('path' in link) {
      await t.rejects(driver.open(new AbortController().signal), {
        code: 'DRIVER_UNAVAILABLE',
        message: /dev.none/,
      })
    }
    await driver.close()
  }
})
