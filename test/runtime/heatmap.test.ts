import sharp from 'sharp'
import t from 'tap'
import { INPUT_SIZE } from '../../models/features.ts'
import { HEATMAP_SCALE, renderPictures } from '../../runtime/heatmap.ts'
import { makeDecided, makeSample, makeTrigger } from '../support/inspected.ts'

const options = { heatmapTopic: 'h', overlayTopic: 'o', seq: 7, maxSize: 800 }

async function grey16(png: Buffer) {
  const { data, info } = await sharp(png)
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true })
  return { ...info, values: new Uint16Array(data.buffer, data.byteOffset, data.length / 2) }
}

/** A map that is `high` in the given square of the model's input and `low` elsewhere. */
function mapWith(
  square: { x: number; y: number; size: number },
  { low, high }: { low: number; high: number },
) {
  const map = new Float32Array(INPUT_SIZE * INPUT_SIZE).fill(low)
  for (let y = square.y; y < square.y + square.size; y++)
    for (let x = square.x; x < square.x + square.size; x++) map[y * INPUT_SIZE + x] = high
  return map
}

t.test('the scale is absolute: the threshold is 16384 in every picture', async (t) => {
  for (const [value, expected] of [
    [0, 0],
    [0.5, 8192],
    [1, 16_384],
    [2.5, 40_960],
    [4, 65_535],
    [1000, 65_535],
    [-1, 0],
  ] as const) {
    const map = new Float32Array(INPUT_SIZE * INPUT_SIZE).fill(value)
    const [heatmap] = await renderPictures(makeSample(), makeDecided({ map }), options)
    const { values, width, height, channels } = await grey16(heatmap?.payload ?? Buffer.alloc(0))
    t.same([width, height, channels], [4, 3, 1])
    t.ok(
      values.every((each) => each === expected),
      `${value} becomes ${expected}, got ${values[0]}`,
    )
  }
})

t.test('16 bits really leave, also after resizing', async (t) => {
  const map = Float32Array.from(
    { length: INPUT_SIZE * INPUT_SIZE },
    (_, index) => (index % INPUT_SIZE) / INPUT_SIZE,
  )
  const placement = { frameWidth: 448, frameHeight: 448, side: 448, padTop: 0, padLeft: 0 }
  const [heatmap] = await renderPictures(makeSample(), makeDecided({ map, placement }), options)
  const { values } = await grey16(heatmap?.payload ?? Buffer.alloc(0))
  t.ok(new Set(values).size > 300, `${new Set(values).size} levels in a ramp`)
  t.equal((await sharp(heatmap?.payload).metadata()).depth, 'ushort')
})

t.test('a hot spot lies where it lies in the frame, padding taken away', async (t) => {
  // A 400 x 200 frame, padded to 400 x 400 with 100 rows above: input row 112 is frame row 100.
  const placement = { frameWidth: 400, frameHeight: 200, side: 400, padTop: 100, padLeft: 0 }
  const map = mapWith({ x: 168, y: 84, size: 28 }, { low: 0, high: 2 })
  const [heatmap] = await renderPictures(makeSample(), makeDecided({ map, placement }), options)
  const { values, width, height } = await grey16(heatmap?.payload ?? Buffer.alloc(0))
  t.same([width, height], [400, 200])
  let sumX = 0
  let sumY = 0
  let sum = 0
  values.forEach((value, index) => {
    sumX += value * (index % 400)
    sumY += value * Math.floor(index / 400)
    sum += value
  })
  // Centre of the square: input (182, 98), times 400 / 224, minus the padding; pixel centres.
  t.ok(Math.abs(sumX / sum - (182 * 400) / 224 + 0.5) < 1, `x ${sumX / sum}`)
  t.ok(Math.abs(sumY / sum - ((98 * 400) / 224 - 100) + 0.5) < 1, `y ${sumY / sum}`)
})

t.test('large frames are capped, with their shape kept', async (t) => {
  const placement = { frameWidth: 2000, frameHeight: 1000, side: 2000, padTop: 500, padLeft: 0 }
  const [heatmap, overlay] = await renderPictures(makeSample(), makeDecided({ placement }), options)
  for (const picture of [heatmap, overlay]) {
    t.match(await sharp(picture?.payload).metadata(), { width: 800, height: 400 })
  }
})

t.test('a picture in a folder still says whose it is', async (t) => {
  const sample = makeSample(makeTrigger({ id: 'run-ü-9' }))
  const [heatmap] = await renderPictures(sample, makeDecided(), options)
  const { comments } = await sharp(heatmap?.payload).metadata()
  const text = comments?.find(({ keyword }) => keyword.includes('radar-edge/heatmap@1'))?.text ?? '{}'
  t.same(JSON.parse(text), { seq: '7', triggerId: 'run-ü-9', scale: HEATMAP_SCALE })
  t.match(heatmap?.properties, { seq: '7', triggerId: 'run-ü-9' })
})

t.test('the overlay leaves a good part as it is and marks a bad one', async (t) => {
  const placement = { frameWidth: 224, frameHeight: 224, side: 224, padTop: 0, padLeft: 0 }
  const colours = async (map: Float32Array) => {
    const [, overlay] = await renderPictures(makeSample(), makeDecided({ map, placement }), options)
    const { data } = await sharp(overlay?.payload).raw().toBuffer({ resolveWithObject: true })
    return (x: number, y: number) => [...data.subarray((y * 224 + x) * 3, (y * 224 + x) * 3 + 3)]
  }
  const isGrey = ([red = 0, green = 0, blue = 0]: number[]) =>
    Math.max(Math.abs(red - 90), Math.abs(green - 90), Math.abs(blue - 90)) <= 3
  const good = await colours(new Float32Array(224 * 224).fill(0.49))
  t.ok(isGrey(good(100, 100)))
  const bad = await colours(mapWith({ x: 80, y: 80, size: 60 }, { low: 0.1, high: 2 }))
  t.ok(isGrey(bad(20, 20)))
  t.notOk(isGrey(bad(110, 110)))
})

t.test('without a camera the overlay lies on the shaded depth, without anything on black', async (t) => {
  for (const absent of [
    { rgb: { reason: 'lost', detail: '' } },
    { rgb: { reason: 'lost', detail: '' }, xyz: { reason: 'lost', detail: '' } },
  ] as const) {
    const pictures = await renderPictures(makeSample(makeTrigger(), absent), makeDecided(), options)
    t.match(await sharp(pictures[1]?.payload).metadata(), { format: 'jpeg', width: 4, height: 3 })
  }
  const [, none] = await renderPictures(makeSample(), makeDecided(), { ...options, overlayTopic: undefined })
  t.equal(none, undefined)
})
