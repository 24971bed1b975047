import { once } from 'node:events'
import t from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { startProgram } from '../../drivers/program.ts'
import { ended, until } from '../support/processes.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const shell = (script: string, frameDescriptor: 1 | 3 = 1) =>
  startProgram({ command: 'sh', arguments: ['-c', script], frameDescriptor, clock: monotonicClock })

t.test(
  'its frames come by the descriptor that was said, what it prints elsewhere does not mix in',
  async (t) => {
    const program = shell('echo noise; printf frame >&3', 3)
    const [bytes] = (await once(program.frames, 'data')) as [Buffer]
    t.equal(bytes.toString(), 'frame')
    t.equal(await program.ended, 'ended with status 0')
  },
)

t.test('it hears what is written to it', async (t) => {
  const program = shell('read line; printf %s "$line"')
  program.input.write('trigger\n')
  const [bytes] = (await once(program.frames, 'data')) as [Buffer]
  t.equal(bytes.toString(), 'trigger')
  await program.ended
  program.input.write('nobody is there\n')
})

t.test('every end is told with the last that it said', async (t) => {
  t.equal(await shell('echo no camera >&2; exit 3').ended, 'ended with status 3: no camera')
  t.match(await shell('kill -9 $$').ended, /was ended by SIGKILL/)
  const absent = startProgram({
    command: 'radar-edge-no-such-program',
    arguments: [],
    frameDescriptor: 1,
    clock: monotonicClock,
  })
  t.match(await absent.ended, /could not be started: .*ENOENT/)
  await absent.stop()
})

t.test('stopped means gone, with all that it started', async (t) => {
  const program = shell('sleep 600 & echo $!; wait')
  const [bytes] = (await once(program.frames, 'data')) as [Buffer]
  const grandchild = Number(bytes.toString())
  await program.stop()
  t.ok(ended(program.pid!))
  await until(() => ended(grandchild))
})

t.test('one that does not listen is killed after a second', async (t) => {
  const clock = virtualClock(0)
  const program = startProgram({
    command: 'sh',
    arguments: ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'],
    frameDescriptor: 1,
    clock,
  })
  await once(program.frames, 'data')
  const stopped = program.stop()
  await clock.advance(999)
  t.notOk(ended(program.pid!), 'it has its second')
  await clock.advance(1)
  await stopped
  t.match(await program.ended, /SIGKILL/)
})

t.test('it is asked to end as it likes, and what it said is told as its adapter likes', async (t) => {
  const program = startProgram({
    command: 'sh',
    arguments: ['-c', 'trap "echo bye >&2; exit 0" INT; echo ready; while :; do sleep 0.05; done'],
    frameDescriptor: 1,
    stopSignal: 'SIGINT',
    lastWords: (said) => said.trim().toUpperCase(),
    clock: monotonicClock,
  })
  await once(program.frames, 'data')
  await program.stop()
  t.equal(await program.ended, 'ended with status 0: BYE')
})
