import t from 'tap'
import { link, linkProblems, serialPortsOf } from '../../../runtime/links/link-config.ts'

const io = link.parse({ kind: 'serial', name: 'io', path: '/dev/io' })
const plc = link.parse({ kind: 'modbus-tcp', name: 'plc', host: '10.0.0.1' })
const rtu = link.parse({ kind: 'modbus-rtu', name: 'rtu', path: '/dev/rtu' })
const links = [io, plc, rtu]

t.test('whoever names a link of the right kind is right', async (t) => {
  const triggers = [{ kind: 'mqtt' }, { kind: 'serial', link: 'io' }]
  const outputs = [
    { kind: 'serial', link: 'io' },
    { kind: 'modbus', link: 'plc' },
    { kind: 'modbus', link: 'rtu' },
  ]
  t.same(linkProblems({ links, triggers, outputs, sensors: { xyz: { kind: 'synthetic' } } }), [])
})

t.test('a link that is absent or of another kind, and names and ports taken twice, are found', async (t) => {
  const again = [...links, { ...plc, name: 'io' }, { ...rtu, name: 'other', path: '/dev/io' }]
  const triggers = [{ kind: 'serial', link: 'plc' }]
  const outputs = [{ kind: 'modbus', link: 'none' }]
  t.match(linkProblems({ links: again, triggers, outputs }), [
    { path: ['links', 3, 'name'], message: /another name/ },
    { path: ['links', 4, 'path'], message: /a link above has this port/ },
    { path: ['triggers', 0, 'link'], message: /a serial link/ },
    { path: ['outputs', 0, 'link'], message: /a modbus link/ },
  ])
})

t.test('a profiler and a link cannot have the same port', async (t) => {
  const sensors = { xyz: { kind: 'profiler', link: { via: 'serial', path: '/dev/rtu' } } }
  t.match(linkProblems({ links, triggers: [], outputs: [], sensors }), [
    { path: ['links', 2, 'path'], message: /sensors\.xyz has this port/ },
  ])
  t.same(serialPortsOf({ links, sensors }), ['/dev/io', '/dev/rtu', '/dev/rtu'])
  t.same(serialPortsOf({ links, sensors: { xyz: { kind: 'profiler', link: { via: 'tcp', host: 'a' } } } }), [
    '/dev/io',
    '/dev/rtu',
  ])
})
