import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readPointMap } from '../../../drivers/formats/read-point-map.ts'
import { npyFile, pcdFile, plyFile, smallMap, tiffFile } from '../../support/point-map-files.ts'

t.test('the extension chooses the reader, and every reader gives the same map', async (t) => {
  const folder = t.testdir({})
  const map = smallMap(9, 7)
  const files = {
    'a.tiff': tiffFile(),
    'a.TIF': tiffFile(),
    'a.ply': plyFile(map, 'ascii'),
    'a.pcd': pcdFile(map, 'binary'),
    'a.npy': npyFile(map),
  }
  for (const [name, bytes] of Object.entries(files)) {
    await writeFile(join(folder, name), bytes)
    t.same(await readPointMap(join(folder, name)), { width: 9, height: 7, pointsMetres: map.points }, name)
  }
  await t.rejects(readPointMap(join(folder, 'a.xyz')), {
    code: 'FORMAT_UNSUPPORTED',
    message: /expected one of .tif/,
  })
})
