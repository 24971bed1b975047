import t from 'tap'
import {
  BridgeParser,
  BridgeProtocolError,
  type BridgeFrameHeader,
  type BridgeHeader,
} from '../../drivers/bridge-protocol.ts'
import { helloMessage, message, type MessageFields } from '../support/bridge-messages.ts'

function parse(chunks: readonly Uint8Array[], largestPayloadBytes = 1000) {
  const messages: { header: BridgeHeader; payload: number[] | undefined }[] = []
  const parser = new BridgeParser(largestPayloadBytes, {
    begin: ({ payloadBytes }) => new Uint8Array(payloadBytes),
    end: (header, payload) => messages.push({ header, payload: payload && [...payload] }),
  })
  for (const chunk of chunks) parser.push(chunk)
  return { messages, parser }
}

t.test('a frame has all that its header says', async (t) => {
  const bytes = message({
    flags: 1,
    sequence: 2n ** 53n - 1n,
    trigger: 9n,
    exposedNs: 1_500_000_000n,
    scale: [0.5, 0.25, 2],
    offset: [1, -2, 3],
    invalid: 65_535,
    focal: [500, 600],
    centre: [320.5, 240.5],
  })
  const { messages, parser } = parse([bytes])
  const expected: BridgeFrameHeader = {
    kind: 'frame',
    format: 'C16',
    width: 2,
    height: 1,
    sequence: Number.MAX_SAFE_INTEGER,
    trigger: 9,
    stampMs: 1500,
    scale: [0.5, 0.25, 2],
    offset: [1, -2, 3],
    invalid: 65_535,
    focal: { x: 500, y: 600 },
    centre: { x: 320.5, y: 240.5 },
    payloadBytes: 4,
  }
  t.same(messages, [{ header: expected, payload: [1, 0, 2, 0] }])
  t.notOk(parser.isWithinMessage)
})

t.test('messages may come byte by byte, or all at once; an empty payload is one', async (t) => {
  const log = message({ kind: 3, payload: Buffer.alloc(0) })
  const stream = Buffer.concat([helloMessage(), log, message()])
  const kinds = ['hello', 'log', 'frame']
  t.same(
    parse([stream]).messages.map(({ header }) => header.kind),
    kinds,
  )
  const bytewise = parse([...stream].map((byte) => Uint8Array.of(byte)))
  t.same(
    bytewise.messages.map(({ header }) => header.kind),
    kinds,
  )
  t.ok(parse([stream, message().subarray(0, 3)]).parser.isWithinMessage)
})

t.test('a payload that nobody needs is checked all the same', async (t) => {
  const seen: unknown[] = []
  const parser = new BridgeParser(1000, {
    begin: () => undefined,
    end: (_header, payload) => seen.push(payload),
  })
  parser.push(message())
  t.same(seen, [undefined])
  t.throws(() => parser.push(message({ payloadCrc: 7 })), { code: 'payload-crc' })
})

t.test('what is no message ends the stream, with what was found and expected', async (t) => {
  const cases: readonly [string, MessageFields | Uint8Array, string, RegExp][] = [
    ['text', Buffer.from('Opening camera...\n'), 'magic', /4f70.* 'Opening camera...\.' where a message/],
    ['magic', { magic: 'RDRC' }, 'magic', /must begin with 'RDRB'/],
    ['version', { version: 2 }, 'version', /version 2 .* expected version 1 with 128/],
    ['header length', { headerBytes: 136 }, 'version', /headers of 136 bytes/],
    ['kind', { kind: 9 }, 'field', /kind 9, expected 1 to 4/],
    ['format', { format: 6 }, 'field', /format 6/],
    ['width', { width: 0 }, 'field', /size 0x1/],
    ['height', { height: 16_385 }, 'field', /size 2x16385/],
    ['length', { width: 3 }, 'size', /sent 4 bytes for 3x1 C16, expected 6/],
    [
      'too large',
      { width: 600, payload: Buffer.alloc(1200) },
      'size',
      /of 1200 bytes, expected 1000 at most/,
    ],
    ['long text', { kind: 1, payloadBytes: 65_537 }, 'size', /a hello of 65537 bytes, expected 65536/],
    ['scale', { scale: [1, 1, 0] }, 'field', /scale 1, 1, 0/],
    ['offset', { offset: [1, NaN, 0] }, 'field', /offset 1, NaN, 0/],
    ['one focal length', { focal: [500, 0] }, 'field', /focal length and centre 500, 0/],
    ['centre', { focal: [500, 500], centre: [Infinity, 0] }, 'field', /Infinity/],
    ['sequence', { sequence: 2n ** 53n }, 'field', /sequence 9007199254740992/],
    ['payload', { payloadCrc: 7 }, 'payload-crc', /frame 1 whose payload has CRC [0-9a-f]{8}, .* 00000007/],
    ['text payload', { kind: 1, payloadCrc: 7 }, 'payload-crc', /a hello whose payload/],
  ]
  for (const [title, fields, code, expected] of cases) {
    const bytes = fields instanceof Uint8Array ? fields : message(fields)
    t.throws(() => parse([bytes]), { name: 'BridgeProtocolError', code, message: expected }, title)
  }
  const flipped = message()
  flipped[40]! ^= 1
  t.throws(() => parse([flipped]), { code: 'header-crc' })
  t.match(parse([message({ format: 1, scale: [0, 0, 0], payload: Buffer.alloc(2) })]).messages, [
    { header: { format: 'Mono8' } },
  ])
})

t.test('garbage shorter than a header is noticed at once, and for good', async (t) => {
  const { parser } = parse([])
  const refused = (chunk: Uint8Array): unknown => {
    try {
      return parser.push(chunk)
    } catch (error) {
      return error
    }
  }
  const first = refused(Buffer.from('RX'))
  t.ok(first instanceof BridgeProtocolError)
  t.equal(refused(message()), first)
})

t.test('what its reader throws is passed on', async (t) => {
  const failure = new Error('reader')
  const parser = new BridgeParser(1000, {
    begin: () => {
      throw failure
    },
    end: () => undefined,
  })
  t.throws(() => parser.push(message()), failure)
})
