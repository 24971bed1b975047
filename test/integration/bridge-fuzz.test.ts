/** A million broken streams: every one is read or refused, none crashes, hangs or stays in memory. */
import { crc32 } from 'node:zlib'
import t from 'tap'
import { readText } from '../../drivers/bridge-hello.ts'
import { BridgeParser, BridgeProtocolError, type BridgeHeader } from '../../drivers/bridge-protocol.ts'
import { hash32 } from '../../drivers/random.ts'
import { helloMessage, message, textMessage } from '../support/bridge-messages.ts'
import { heldBytes } from '../support/held-bytes.ts'

const CASES = 1_000_000
const SEED = 20_261_128
const LARGEST_PAYLOAD_BYTES = 2 ** 20
const LARGEST_GROWTH_BYTES = 8 * 2 ** 20

const VALID = [
  helloMessage(),
  message({ sequence: 7n, exposedNs: 9_000_000n }),
  message({ format: 5, width: 1, height: 3, payload: Buffer.alloc(36, 3), focal: [500, 500] }),
  textMessage('log', { level: 'warning', text: 'the lamp is old' }),
  textMessage('telemetry', { temperatureCelsius: 41.5 }),
]

const WORDS = [
  '{"name":"a","formats":["C16"],"clock":"none"}',
  '{"level":"info","text":"x"}',
  '{"temperatureCelsius":1e3}',
  '[[[[[[[[[[1]]]]]]]]]]',
]

let state = SEED
/** A whole number from 0, below `count`. */
const below = (count: number): number => (state = hash32(state + 0x9e3779b9)) % count

/** Reads it in pieces. @returns the kinds of the whole messages, and why it was refused, if so. */
function read(stream: Buffer): { kinds: string[]; fault?: BridgeProtocolError } {
  const kinds: string[] = []
  const take = (header: BridgeHeader, payload: Uint8Array | undefined): void => {
    if (header.kind !== 'frame' && payload !== undefined) readText(header.kind, payload)
    kinds.push(header.kind)
  }
  const parser = new BridgeParser(LARGEST_PAYLOAD_BYTES, {
    begin: ({ payloadBytes }) => (below(4) === 0 ? undefined : Buffer.alloc(payloadBytes)),
    end: take,
  })
  try {
    for (let at = 0; at < stream.length;) {
      const until = at + 1 + below(below(8) === 0 ? 4 : 300)
      parser.push(stream.subarray(at, until))
      at = until
    }
    return { kinds }
  } catch (fault) {
    if (!(fault instanceof BridgeProtocolError)) throw fault
    return { kinds, fault }
  }
}

/** Some valid messages, and mostly something wrong with them. */
function brokenStream(): Buffer {
  const stream = Buffer.concat(Array.from({ length: 1 + below(3) }, () => VALID[below(VALID.length)]!))
  const at = below(stream.length)
  switch (below(6)) {
    case 0:
      stream[at]! ^= 1 << below(8)
      return stream
    case 1:
      return stream.subarray(0, at)
    case 2:
      return Buffer.concat([stream.subarray(0, at), stream.subarray(below(stream.length))])
    case 3:
      for (let i = at; i < Math.min(stream.length, at + 16); i++) stream[i] = below(256)
      return stream
    case 4: {
      const payload = Buffer.from(WORDS[below(WORDS.length)]!)
      payload[below(payload.length)] = below(256)
      return message({ kind: [1, 3, 4][below(3)]!, payload: payload.subarray(0, 1 + below(payload.length)) })
    }
    default: {
      // A header that claims anything, with a CRC that is right: only the checks of its fields are left.
      const field = 4 + below(116)
      for (let i = field; i < Math.min(124, field + 1 + below(8)); i++)
        stream[i] = below(3) === 0 ? 255 : below(256)
      stream.writeUInt32LE(crc32(stream.subarray(0, 124)), 124)
      return stream
    }
  }
}

t.test('whole streams are read the same however they are cut', async (t) => {
  const expected = ['hello', 'frame', 'frame', 'log', 'telemetry']
  for (let round = 0; round < 2000; round++) {
    const { kinds, fault } = read(Buffer.concat(VALID))
    if (fault !== undefined || kinds.join() !== expected.join()) t.fail(`round ${round}: ${fault?.message}`)
  }
})

t.test(`${CASES} broken streams, seed ${SEED}`, async (t) => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0 // A million of them cost more than the parser.
  t.teardown(() => (Error.stackTraceLimit = stackTraceLimit))
  const counts = new Map<string, number>()
  const startedMs = performance.now()
  let base = 0
  let growth = 0
  for (let round = 0; round < CASES; round++) {
    const code = read(brokenStream()).fault?.code ?? 'read'
    counts.set(code, (counts.get(code) ?? 0) + 1)
    if (round % 10_000 !== 0) continue
    // The event loop frees buffers of the heap's outside.
    await new Promise(setImmediate)
    if (round === 100_000) base = heldBytes()
    if (round > 100_000) growth = Math.max(growth, heldBytes() - base)
  }
  t.comment(
    `${((performance.now() - startedMs) / 1000).toFixed(1)} s, grew by ${(growth / 2 ** 20).toFixed(1)} MiB at most: ${JSON.stringify(Object.fromEntries(counts))}`,
  )
  t.ok(growth < LARGEST_GROWTH_BYTES, `grew by ${growth} bytes`)
  for (const code of ['read', 'magic', 'version', 'header-crc', 'field', 'size', 'payload-crc', 'text']) {
    t.ok((counts.get(code) ?? 0) > 100, `${code}: ${counts.get(code)}`)
  }
})
