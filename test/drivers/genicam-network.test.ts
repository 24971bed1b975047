import t from 'tap'
import { adviceOf, networkAdvice, socketBufferLimitBytes } from '../../drivers/genicam-network.ts'

const free = { hasRawSockets: true, receiveBufferLimitBytes: 212_992 }
const quiet = { counters: { packets: 100, 'missing packets': 0 }, packetBytes: 8228 }

t.test('nothing is wrong with jumbo frames that arrive', async (t) => {
  t.same(adviceOf(quiet, free), [])
})

t.test('small buffers matter only without raw sockets', async (t) => {
  const [advice] = adviceOf(quiet, { ...free, hasRawSockets: false })
  t.match(advice, { found: /212992 bytes/, fix: /CAP_NET_RAW.*net\.core\.rmem_max=16777216/ })
  t.same(adviceOf(quiet, { hasRawSockets: false, receiveBufferLimitBytes: 16_777_216 }), [])
})

t.test('missing packets are counted per thousand, small packets are named', async (t) => {
  const found = adviceOf({ counters: { packets: 998, 'missing packets': 2 }, packetBytes: 1500 }, free)
  t.match(found, [{ found: '2 packets missing (2.00 of a thousand)' }, { found: 'packets of 1500 bytes' }])
})

t.test('of this machine', async (t) => {
  t.ok((await socketBufferLimitBytes()) > 0)
  t.ok(Array.isArray(await networkAdvice(quiet)))
})
