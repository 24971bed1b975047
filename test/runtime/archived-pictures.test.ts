import t from 'tap'
import sharp from 'sharp'
import { PartError, type StoredPart } from '../../models/stored-part.ts'
import { picturesFrom } from '../../runtime/archived-pictures.ts'
import type { ArchiveRecord } from '../../runtime/part-index.ts'
import { storedPart } from '../support/stored-parts.ts'

const isHere = (): boolean => false

/** Every part is there, and is this one. */
function archiveOf(part: StoredPart) {
  const record = (triggerId: string): ArchiveRecord => ({
    triggerId,
    seq: 7,
    product: part.product,
    time: part.capturedAt,
    outcome: 'fail',
    condition: part.condition,
    flags: [],
    degraded: false,
    confirmed: 'none',
    hasFeatures: true,
    hasFrames: true,
    bytes: 1,
  })
  return { find: record, load: async () => part }
}

t.test('pictures are drawn one at a time, and the newest is refused when too many wait', async (t) => {
  const archive = archiveOf(storedPart())
  let [now, most] = [0, 0]
  const picture = picturesFrom({
    ...archive,
    async load() {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now -= 1
      return archive.load()
    },
  })
  const request = { triggerId: 'run-1', kind: 'picture', isGone: isHere } as const
  const asked = Array.from({ length: 16 }, () => picture(request))
  await t.rejects(picture(request), { code: 'TOO_BUSY', message: /16 pictures/ })
  for (const png of await Promise.all(asked)) {
    t.match(await sharp(png).metadata(), { format: 'png', width: 6, height: 4 })
  }
  t.equal(most, 1)
  t.ok(await picture(request), 'there is room again')
})

t.test('nothing is read for whoever has gone, and a failure holds nobody up', async (t) => {
  let loads = 0
  const picture = picturesFrom({
    ...archiveOf(storedPart()),
    load() {
      loads += 1
      return Promise.reject(new PartError('PART_UNREADABLE', 'damaged'))
    },
  })
  const [gone, damaged, other] = [
    picture({ triggerId: 'a', kind: 'picture', isGone: () => true }),
    picture({ triggerId: 'b', kind: 'picture', isGone: isHere }),
    picture({ triggerId: 'c', kind: 'heatmap', isGone: isHere }),
  ]
  await t.rejects(gone, { code: 'CLIENT_GONE' })
  await t.rejects(damaged, { code: 'PART_UNREADABLE' })
  await t.rejects(other, { code: 'PART_UNREADABLE' })
  t.equal(loads, 2)
})

t.test('without the camera the depth is shown', async (t) => {
  const { xyz } = storedPart().frames
  const part = storedPart({ condition: 'xyz-only', frames: { ...(xyz && { xyz }) } })
  for (const kind of ['picture', 'overlay'] as const) {
    const picture = picturesFrom(archiveOf(part))
    const png = await picture({ triggerId: 'a', kind, isGone: isHere })
    t.match(await sharp(png).metadata(), { format: 'png', width: 6, height: 4 }, kind)
  }
})
