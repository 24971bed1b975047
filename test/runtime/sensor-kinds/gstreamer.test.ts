import t from 'tap'
import {
  gstreamerCameraSensor,
  gstreamerDepthSensor,
  makeGstreamer,
} from '../../../runtime/sensor-kinds/gstreamer.ts'

const camera = { kind: 'gstreamer', pipeline: 'videotestsrc', width: 640, height: 480 }
const lens = { focalXPixels: 500, focalYPixels: 500, principalXPixels: 320, principalYPixels: 240 }
const depth = { ...camera, lens }

/** What is wrong with it, as `path: message`. */
function problemsOf(
  schema: typeof gstreamerCameraSensor | typeof gstreamerDepthSensor,
  config: object,
): string[] {
  const { error } = schema.safeParse(config)
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
}

t.test('a camera and a depth sensor become drivers of their modality', async (t) => {
  t.match(makeGstreamer(gstreamerCameraSensor.parse(camera)), { name: 'rgb', modality: 'rgb' })
  const tof = gstreamerDepthSensor.parse({ ...depth, name: 'tof' })
  t.match(tof, { format: 'GRAY16_LE', metresPerUnit: 0.001, invalidCode: 0 })
  t.match(makeGstreamer(tof), { name: 'tof', modality: 'xyz' })
})

t.test('what cannot be a pipeline is refused before it runs', async (t) => {
  const cases: readonly [object, string[]][] = [
    [{}, []],
    [{ pipeline: 'videotestsrc ! fdsink fd=3 sync=false' }, []],
    [{ pipeline: 'videotestsrc ! fdsink' }, ['pipeline: expected fdsink fd=3']],
    [{ pipeline: 'videotestsrc !' }, ['pipeline: expected an element after the last !']],
    [{ pipeline: 'a location="b' }, ['pipeline: expected a pipeline: a " is not closed']],
    [{ pipeline: 'gst-launch-1.0 -v a ! b' }, ['pipeline: expected what comes after gst-launch-1.0']],
    [{ pipeline: '-v a ! b' }, ['pipeline: expected a pipeline, without gst-launch-1.0 and its options']],
    [{ pipeline: ' ' }, ['pipeline: expected a pipeline, without gst-launch-1.0 and its options']],
    [{ rowBytes: 1900 }, ['rowBytes: expected whole rows: 640 pixels of RGB need 1920 bytes, not 1900']],
    [{ format: 'GRAY8', rowBytes: 704 }, []],
  ]
  for (const [change, problems] of cases) {
    t.same(problemsOf(gstreamerCameraSensor, { ...camera, ...change }), problems, JSON.stringify(change))
  }
  t.equal(problemsOf(gstreamerCameraSensor, { ...camera, format: 'I420' }).length, 1)
  t.equal(problemsOf(gstreamerDepthSensor, { ...depth, format: 'RGB' }).length, 1)
  t.equal(problemsOf(gstreamerDepthSensor, camera).length, 1, 'a depth map without a lens has no x and y')
})
