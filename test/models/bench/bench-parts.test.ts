import path from 'node:path'
import t from 'tap'
import { indexDataset } from '../../../drivers/dataset.ts'
import { replayStation } from '../../../drivers/replay.ts'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { renderPart } from '../../../drivers/synthetic/render.ts'
import { inEveryCondition, sampleOf as storedSample } from '../../../models/bench/bench-parts.ts'
import { openBundle } from '../../../models/bundle.ts'
import { extractFeatures } from '../../../models/extract.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../../support/samples.ts'
import { copyTinyBundle, editManifest, TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const never = new AbortController().signal

t.test('a stored part is captured with every sensor that it has a file of', async (t) => {
  const root = path.join(t.testdir({}), 'data')
  const counts = { train: 1, validation: 0, testGood: 0, testPerDefect: 0 }
  await writeDataset({ root, categories: ['cookie'], size: 60, ...counts, seed: 1, signal: never })
  const [item] = (await indexDataset(root)).items
  const station = replayStation({ root })
  await Promise.all([station.rgb.open(never), station.xyz.open(never)])
  const sample = await storedSample(item!, { station })
  t.match(sample, { condition: 'complete', frames: { rgb: { width: 60 }, xyz: { width: 60 } } })
  const { partId, category, split, label, rgbPath } = item!
  const blind = { partId, category, split, label, rgbPath: rgbPath! }
  t.equal((await storedSample(blind, { station, signal: never })).condition, 'rgb-only')
})

t.test('the three conditions of one part are what a live station would compute', async (t) => {
  const { rgb, pointsMetres } = renderPart({ category: 'cookie', width: 96, height: 96, seed: 3 })
  const size = { width: 96, height: 96 }
  const frames = { rgb: { ...rgbFrame(size), pixels: rgb }, xyz: { ...xyzFrame(size), pointsMetres } }
  const masked = copyTinyBundle(t.testdir({}))
  editManifest(masked, (m) => ({
    ...m,
    input: { ...m.input, rgb: { ...m.input.rgb, masking: 'foreground' } },
  }))
  for (const folder of [TINY_BUNDLE, masked]) {
    const bundle = await openBundle(folder, { threads: 1 })
    const derived = await inEveryCondition(sampleOf(frames), { bundle, seed: 1 })
    const live = [frames, { rgb: frames.rgb }, { xyz: frames.xyz }].map(async (some) => {
      const extracted = await extractFeatures(sampleOf(some), { bundle, seed: 1 })
      if (extracted.condition === 'none') throw new Error('a sound part was refused')
      return {
        condition: extracted.condition,
        features: extracted.features,
        placement: extracted.input.placement,
      }
    })
    t.same(derived, await Promise.all(live), bundle.manifest.input.rgb.masking)
    await bundle.release()
  }
})

t.test('a part whose points are no part is missing in complete and xyz-only, with the reason', async (t) => {
  const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
  const empty = { ...xyzFrame(), pointsMetres: new Float32Array(4800) }
  const answers = await inEveryCondition(sampleOf({ rgb: rgbFrame(), xyz: empty }), { bundle, seed: 1 })
  t.match(answers, [
    { condition: 'complete', why: /no point/ },
    { condition: 'rgb-only', features: { condition: 'rgb-only' } },
    { condition: 'xyz-only', why: /no point/ },
  ])
  await bundle.release()
})
