import t from 'tap'
import { bridgeAt, bridgeSensor, makeBridge } from '../../../runtime/sensor-kinds/bridge.ts'

const read = (sensor: object) => bridgeSensor('scanner').safeParse({ kind: 'bridge', ...sensor })
const problemsOf = (sensor: object) =>
  read(sensor).error?.issues.map(({ path, message }) => [...path, message])

t.test('a command or a socket is enough', async (t) => {
  const { data } = read({ command: ['./bridge', '--serial', '7'] })
  t.match(data, { name: 'scanner', trigger: 'software', settings: {} })
  const driver = makeBridge(data!, 'xyz')
  t.match(driver, { name: 'scanner', modality: 'xyz' })
  const free = read({ socket: 's', trigger: 'free', framesPerSecond: 5, width: 4, height: 3 }).data!
  t.equal(makeBridge(free, 'rgb').modality, 'rgb')
})

t.test('paths are relative to the config file, names of programs are not', async (t) => {
  const at = (path: string) => `/etc/station/${path}`
  const commandOf = (...command: string[]) => bridgeAt(read({ command }).data!, at).command
  t.same(commandOf('bridges/mine', 'a/b'), ['/etc/station/bridges/mine', 'a/b'])
  t.same(commandOf('python3', 'mine.py'), ['python3', 'mine.py'])
  t.equal(bridgeAt(read({ socket: 'mine.sock' }).data!, at).socket, '/etc/station/mine.sock')
})

t.test('what does not go together is refused', async (t) => {
  t.same(problemsOf({}), [['command', 'expected either command or socket']])
  t.same(problemsOf({ command: ['a'], socket: 'b' }), [['command', 'expected either command or socket']])
  const rate = [['framesPerSecond', 'expected with trigger free, and only then']]
  t.same(problemsOf({ socket: 'b', trigger: 'free' }), rate)
  t.same(problemsOf({ socket: 'b', framesPerSecond: 5 }), rate)
  t.same(problemsOf({ socket: 'b', width: 5 }), [['width', 'expected width and height, or neither']])
  const settings = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`key${index}`, index]))
  t.same(problemsOf({ socket: 'b', settings }), [['settings', 'expected 32 settings at most']])
})
