import t from 'tap'
import { ENGINE } from '../../models/engine.ts'
import { INPUT_SIZE } from '../../models/features.ts'
import { encodePart } from '../../models/stored-part.ts'
import { factsOf, partToKeep, storedPartOf } from '../../runtime/archived-part.ts'
import { renderPictures } from '../../runtime/heatmap.ts'
import { makeDecided, makePayload, makeSample, makeTrigger } from '../support/inspected.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'
import { storedFeatures, without } from '../support/stored-parts.ts'

const features = without(storedFeatures(), 'bundleId', 'engine')
const inspection = makeDecided({ features })

t.test('of a part that passed the features are kept, of any other also what was seen', async (t) => {
  const sample = makeSample()
  const passed = partToKeep(makePayload(), { sample, inspection })
  t.same(passed.features, { ...features, bundleId: 'bundle-a', engine: ENGINE })
  t.same([passed.sample, passed.map], [undefined, undefined])
  const failed = partToKeep(makePayload({ outcome: 'fail' }), { sample, inspection })
  t.equal(failed.sample, sample)
  t.equal(failed.map?.values, inspection.map)
  t.ok(failed.features)
  const plain = partToKeep(makePayload(), { sample, inspection: makeDecided() })
  t.equal(plain.features, undefined, 'not every inspection carries features')
})

t.test('of an unknown part only the frames are kept, if there are any', async (t) => {
  const verdict = makePayload({ outcome: 'unknown', reason: 'not-finite' })
  const sample = makeSample()
  for (const odd of [inspection, undefined]) {
    const part = partToKeep(verdict, { sample, ...(odd && { inspection: odd }) })
    t.equal(part.sample, sample)
    t.same([part.features, part.map], [undefined, undefined])
  }
  const lost = { reason: 'lost', detail: 'cable' } as const
  const nothing = makeSample(makeTrigger(), { rgb: lost, xyz: lost })
  t.same(partToKeep({ ...verdict, condition: 'none' }, { sample: nothing }).sample, undefined)
})

t.test('the facts can be read off the stored part again', async (t) => {
  const bare = without(makePayload(), 'score', 'distance', 'provenance')
  const verdicts = [
    makePayload({ partId: 'Lot 4/7', outcome: 'fail', flags: ['few-points'], degraded: true }),
    makePayload(),
    { ...bare, outcome: 'unknown' as const },
  ]
  for (const verdict of verdicts) {
    const part = partToKeep(verdict, { sample: makeSample(), inspection })
    const stored = await storedPartOf(part)
    t.match(stored, { partId: verdict.triggerId, product: 'nut', capturedAt: verdict.time, label: 'unknown' })
    t.same(factsOf((await encodePart(stored)).record), part.facts)
  }
  const stored = await storedPartOf(partToKeep(makePayload(), { sample: makeSample(), inspection }))
  t.equal(factsOf((await encodePart({ ...stored, note: { outcome: 'fail' } })).record), undefined)
})

t.test('large frames are stored as the model saw them, and the heatmap can be drawn from them', async (t) => {
  const size = { width: 1700, height: 850 }
  const sample = sampleOf({ rgb: rgbFrame(size), xyz: xyzFrame(size) })
  const placement = { frameWidth: 1700, frameHeight: 850, side: 1700, padTop: 425, padLeft: 0 }
  const map = new Float32Array(INPUT_SIZE * INPUT_SIZE).fill(1.5)
  const decided = makeDecided({ map, placement })
  const stored = await storedPartOf(
    partToKeep(makePayload({ outcome: 'fail' }), { sample, inspection: decided }),
  )
  t.match(stored.frames, { rgb: { width: 566, height: 283 }, xyz: { width: 566, height: 283 } })
  const options = { heatmapTopic: 'map', overlayTopic: 'overlay', seq: 1, maxSize: 400 }
  const again = await renderPictures(
    { ...sample, frames: stored.frames },
    { map: stored.map!.values, placement: stored.map!.placement },
    options,
  )
  const before = await renderPictures(sample, decided, options)
  t.same(again[0]?.payload, before[0]?.payload, 'the very heatmap')
  t.equal(again[1]?.contentType, 'image/jpeg')
})

t.test('a modality that preprocessing rejected is told of', async (t) => {
  const rejected = { reason: 'rejected', detail: 'no part in it' } as const
  const narrowed = makeDecided({ condition: 'rgb-only', absent: { xyz: rejected } })
  const verdict = makePayload({ outcome: 'fail', condition: 'rgb-only' })
  const stored = await storedPartOf(partToKeep(verdict, { sample: makeSample(), inspection: narrowed }))
  t.match(stored, { condition: 'rgb-only', absent: { xyz: rejected }, frames: { xyz: { modality: 'xyz' } } })
})
