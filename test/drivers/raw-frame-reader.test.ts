import t from 'tap'
import { gdpPacketOf, videoCapsOf } from '../../drivers/gdp.ts'
import { rawLayout } from '../../drivers/pixel-formats.ts'
import { randomFrom } from '../../drivers/random.ts'
import { RawFrameReader, type RawFrame } from '../../drivers/raw-frame-reader.ts'

const layout = rawLayout('GRAY8', { width: 4, height: 3 })
const CAPS = 'video/x-raw, format=(string)GRAY8, width=(int)4, height=(int)3, framerate=(fraction)25/1'

interface Packet {
  readonly type: number
  readonly payload: Buffer
  readonly stampNs?: bigint
  readonly flags?: number
}

function packet({ type, payload, stampNs = 2n ** 64n - 1n, flags = 0 }: Packet): Buffer {
  const header = Buffer.alloc(62)
  header[0] = 1
  header.writeUInt16BE(type, 4)
  header.writeUInt32BE(payload.length, 6)
  header.writeBigUInt64BE(stampNs, 10)
  header.writeUInt16BE(flags, 42)
  return Buffer.concat([header, payload])
}

const capsPacket = (text = CAPS): Buffer => packet({ type: 2, payload: Buffer.from(`${text}\0`) })
const framePacket = (fill: number, rest: Partial<Packet> = {}): Buffer =>
  packet({ type: 1, payload: Buffer.alloc(layout.frameBytes, fill), ...rest })

function reading(framing: 'gdp' | 'bare') {
  const frames: RawFrame[] = []
  const broken: string[] = []
  let allocated = 0
  const reader = new RawFrameReader({
    layout,
    framing,
    allocate: () => {
      allocated++
      return new Uint8Array(layout.frameBytes)
    },
    onFrame: (frame) => frames.push(frame),
    onBroken: (detail) => broken.push(detail),
  })
  return { reader, frames, broken, allocated: () => allocated }
}

/** What is in it, or why it is refused. */
const gist = (frame: RawFrame | undefined): unknown =>
  frame === undefined ? undefined : 'bytes' in frame ? frame.bytes[0] : frame.refusal

t.test('packets become frames, however the bytes are cut', async (t) => {
  const stream = Buffer.concat([
    packet({ type: 64 + 10, payload: Buffer.from('stream-start') }),
    capsPacket(),
    packet({ type: 70, payload: Buffer.alloc(0) }),
    framePacket(7, { stampNs: 2_500_000n }),
    framePacket(9),
  ])
  for (const cut of [1, 3, 61, 62, 63, stream.length]) {
    const { reader, frames, broken } = reading('gdp')
    for (let at = 0; at < stream.length; at += cut) reader.read(stream.subarray(at, at + cut))
    t.same(frames.map(gist), [7, 9], `pieces of ${cut} bytes`)
    t.equal(frames[0]?.stampMs, 2.5)
    t.equal(frames[1]?.stampMs, undefined, 'a source without a clock')
    t.same(broken, [])
    t.notOk(reader.isAmidFrame)
    t.equal(reader.caps, CAPS)
  }
})

t.test('a frame of another kind is refused, with what came and what was expected', async (t) => {
  const of = (caps: string, payload = Buffer.alloc(layout.frameBytes, 1)): unknown => {
    const { reader, frames } = reading('gdp')
    reader.read(Buffer.concat([capsPacket(caps), packet({ type: 1, payload })]))
    return gist(frames[0])
  }
  t.equal(of(CAPS), 1)
  t.equal(of(CAPS.replace('GRAY8', 'I420')), 'is I420 4x3, the config says GRAY8 4x3')
  t.equal(
    of(CAPS.replace('width=(int)4', 'width=(int)3').replace('height=(int)3', 'height=(int)4')),
    'is GRAY8 3x4, the config says GRAY8 4x3',
    'as many bytes, sheared',
  )
  t.equal(of('image/jpeg, width=(int)4, height=(int)3'), 'is image/jpeg, the config says GRAY8 4x3')
  t.match(of(CAPS.replace('x-raw', 'x-raw(memory:NVMM)')), /is video\/x-raw\(memory:NVMM\), the config/)
  t.equal(of(CAPS, Buffer.alloc(6)), 'has 6 bytes, expected 12 (GRAY8, 3 rows of 4 bytes)', 'half a frame')
  t.equal(
    of(CAPS, Buffer.alloc(24)),
    'has 24 bytes, expected 12 (GRAY8, 3 rows of 4 bytes): rows of 8 bytes (rowBytes)?',
  )
})

t.test('a frame that its decoder knows to be damaged is refused, and the next one is good', async (t) => {
  const { reader, frames, allocated } = reading('gdp')
  reader.read(
    Buffer.concat([capsPacket(), framePacket(1, { flags: 0x100 }), framePacket(2, { flags: 0x40 })]),
  )
  t.same(frames.map(gist), ['was damaged on its way, its decoder says', 2])
  t.equal(allocated(), 1, 'nothing is allocated for what is refused')
})

t.test('a size that changes and changes back', async (t) => {
  const { reader, frames } = reading('gdp')
  reader.read(Buffer.concat([capsPacket(), framePacket(1)]))
  const other = CAPS.replace('width=(int)4', 'width=(int)8')
  reader.read(Buffer.concat([capsPacket(other), packet({ type: 1, payload: Buffer.alloc(24) })]))
  reader.read(Buffer.concat([capsPacket(), framePacket(3)]))
  t.same(frames.map(gist), [1, 'is GRAY8 8x3, the config says GRAY8 4x3', 3])
})

t.test('a payload that claims gigabytes is read past', async (t) => {
  const { reader, frames, allocated, broken } = reading('gdp')
  const header = packet({ type: 1, payload: Buffer.alloc(0) })
  header.writeUInt32BE(0xffff_ffff, 6)
  reader.read(Buffer.concat([capsPacket(), header, Buffer.alloc(100_000)]))
  t.equal(allocated(), 0)
  t.same([frames, broken], [[], []])
  t.ok(reader.isAmidFrame)
})

t.test('bytes that are no packets end it, once', async (t) => {
  const { reader, frames, broken } = reading('gdp')
  reader.read(Buffer.from(`Setting pipeline to PLAYING ...\n${'x'.repeat(200)}`))
  reader.read(capsPacket())
  t.same(broken, ['expected a packet of gdppay, got bytes that begin with 53657474696e6720'])
  t.same(frames, [])
  const long = reading('gdp')
  const header = packet({ type: 2, payload: Buffer.alloc(0) })
  header.writeUInt32BE(70_000, 6)
  long.reader.read(header)
  t.equal(long.broken.length, 1, 'caps of 70 kB are none')
})

t.test('bare frames follow each other; the end amid one shows', async (t) => {
  const { reader, frames } = reading('bare')
  reader.read(Buffer.concat([Buffer.alloc(12, 1), Buffer.alloc(5, 2)]))
  t.same(frames.map(gist), [1])
  t.ok(reader.isAmidFrame)
  reader.read(Buffer.alloc(7, 2))
  t.same(frames.map(gist), [1, 2])
  t.notOk(reader.isAmidFrame)
})

t.test('100,000 damaged streams crash nothing, and allocate nothing beyond frames', async (t) => {
  const random = randomFrom(5, 'damaged streams')
  const good = Buffer.concat([capsPacket(), framePacket(1), framePacket(2), framePacket(3)])
  let frames = 0
  for (let round = 0; round < 100_000; round++) {
    const bytes = Buffer.from(good)
    for (let damage = random.integer(1, 6); damage > 0; damage--) {
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255)
    }
    const { reader, frames: got, broken, allocated } = reading('gdp')
    const cut = random.integer(1, bytes.length)
    for (let at = 0; at < bytes.length; at += cut) reader.read(bytes.subarray(at, at + cut))
    if (broken.length > 1 || allocated() > 4) t.fail(`round ${round}`)
    frames += got.length
  }
  t.ok(frames > 100_000, `${frames} frames came through all the same`)
})

t.test('headers and caps as GStreamer 1.22 writes them', async (t) => {
  t.same(gdpPacketOf(framePacket(0, { stampNs: 1n, flags: 0x140 }).subarray(0, 62)), {
    kind: 'buffer',
    bytes: 12,
    stampMs: 1e-6,
    isCorrupted: true,
  })
  t.same(
    videoCapsOf(
      'video/x-raw, width=(int)640, height=(int)480, interlace-mode=(string)progressive, pixel-aspect-ratio=(fraction)1/1, framerate=(fraction)25/1, format=(string)RGB, colorimetry=(string)1:1:16:4',
    ),
    { media: 'video/x-raw', width: 640, height: 480, format: 'RGB', colorimetry: '1:1:16:4' },
  )
  t.same(videoCapsOf(''), { media: '' })
})
