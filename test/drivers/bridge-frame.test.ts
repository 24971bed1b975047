import t from 'tap'
import { frameOfBridge, type RawBridgeFrame } from '../../drivers/bridge-frame.ts'
import type { BridgeFrameHeader } from '../../drivers/bridge-protocol.ts'

const { signal } = new AbortController()

function raw(
  samples: Uint8Array | Uint16Array | Float32Array,
  fields: Partial<BridgeFrameHeader> & Pick<BridgeFrameHeader, 'format' | 'width' | 'height'>,
): RawBridgeFrame {
  const header: BridgeFrameHeader = {
    kind: 'frame',
    sequence: 3,
    trigger: 0,
    stampMs: 0,
    scale: [1, 1, 1],
    offset: [0, 0, 0],
    centre: { x: 0, y: 0 },
    payloadBytes: samples.byteLength,
    ...fields,
  }
  const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
  return { header, payload, exposedAtMs: 5, remarks: [] }
}

t.test('RGB8 is taken as it is, Mono8 threefold', async (t) => {
  const rgb = Uint8Array.of(1, 2, 3, 4, 5, 6)
  const frame = await frameOfBridge('cam', raw(rgb, { format: 'RGB8', width: 2, height: 1 }), signal)
  t.match(frame, { sensor: 'cam', modality: 'rgb', sequence: 3, exposedAtMs: 5, width: 2, height: 1 })
  t.equal(frame.modality === 'rgb' && frame.pixels.buffer, rgb.buffer)
  const grey = await frameOfBridge(
    'cam',
    raw(Uint8Array.of(7, 9), { format: 'Mono8', width: 2, height: 1 }),
    signal,
  )
  t.same(grey.modality === 'rgb' && [...grey.pixels], [7, 7, 7, 9, 9, 9])
})

t.test('depths and points become metres, the same in slices as at once', async (t) => {
  // Above 65,536 pixels there is more than one slice.
  const [width, height] = [300, 500]
  const depths = Uint16Array.from({ length: width * height }, (_, index) => 1 + (index % 60_000))
  depths[1] = 65_535
  const fields = { format: 'C16', width, height, scale: [0.5, 0.25, 0.001], offset: [0, 1, 0.5] } as const
  const points = async (frame: RawBridgeFrame) => {
    const made = await frameOfBridge('scanner', frame, signal)
    if (made.modality !== 'xyz') throw new Error('expected points')
    return (row: number, column: number) =>
      [...made.pointsMetres.subarray((row * width + column) * 3, (row * width + column + 1) * 3)].map(
        (value) => Math.round(value * 1e4) / 1e4,
      )
  }
  const onGrid = await points(raw(depths, { ...fields, invalid: 65_535 }))
  t.same(onGrid(0, 0), [0, 1, 0.501])
  t.same(onGrid(0, 1), [0, 0, 0])
  t.same(onGrid(400, 2), [1, 101, 0.503])
  const floats = Float32Array.from(depths, (depth) => depth / 1000)
  const lens = { format: 'C32f', width, height, focal: { x: 100, y: 200 }, centre: { x: 2, y: 0 } } as const
  const seen = await points(raw(floats, lens))
  t.same(seen(0, 2), [0, 0, 0.003])
  t.same(seen(400, 102), [0.103, 0.206, 0.103])
})

t.test('points in metres stay in their buffer; others are scaled', async (t) => {
  const samples = Float32Array.of(1, 2, 3, NaN, 0, 1)
  const size = { format: 'ABC32f', width: 2, height: 1 } as const
  const kept = await frameOfBridge('scanner', raw(samples, size), signal)
  t.same(kept.modality === 'xyz' && [...kept.pointsMetres], [1, 2, 3, 0, 0, 0])
  t.equal(kept.modality === 'xyz' && kept.pointsMetres.buffer, samples.buffer)
  const millimetres = Float32Array.of(1000, 2000, 3000, 1, 1, -1)
  const scaled = await frameOfBridge(
    'scanner',
    raw(millimetres, { ...size, scale: [0.001, 0.001, 0.001], invalid: -1 }),
    signal,
  )
  t.same(scaled.modality === 'xyz' && [...scaled.pointsMetres], [1, 2, 3, 0, 0, 0])
})

t.test('remarks go with the frame; an abort ends the work', async (t) => {
  const remarks = [{ code: 'clock-step', detail: 'd', degrades: false }]
  const frame = { ...raw(new Uint8Array(3), { format: 'RGB8', width: 1, height: 1 }), remarks }
  t.same((await frameOfBridge('cam', frame, signal)).remarks, remarks)
  const reason = new Error('stop')
  const large = raw(new Uint8Array(100_000), { format: 'Mono8', width: 100, height: 1000 })
  await t.rejects(frameOfBridge('cam', large, AbortSignal.abort(reason)), reason)
})
