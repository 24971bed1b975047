import t from 'tap'
import { FrameMemory } from '../../drivers/frame-memory.ts'

t.test('memory is zeros of the size that is asked for, prepared or not, and never given twice', async (t) => {
  const memory = new FrameMemory()
  const zeros = (length: number) => new Uint8Array(length)
  t.same(memory.take(3), zeros(3), 'not prepared')
  memory.prepare(4)
  memory.prepare(4)
  const first = memory.take(4).fill(7)
  t.same(memory.take(4), zeros(4))
  memory.prepare(4)
  t.same(memory.take(5), zeros(5), 'prepared for another size')
  memory.prepare(5)
  t.same(memory.take(5), zeros(5))
  t.same(first, zeros(4).fill(7), 'what was given is its owner’s')
})
