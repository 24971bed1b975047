/** Pictures of the parts that a teaching proposes for exclusion: a person looks before one is left out. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modalitiesOf } from '../drivers/sample.ts'
import { folderNameOf } from '../models/folder-name.ts'
import { placeInSquare } from '../models/placement.ts'
import { sampleOfStored } from '../models/stored-part.ts'
import type { TaughtOutlier } from '../models/teach-quality.ts'
import { renderPictures } from './heatmap.ts'
import type { Teaching } from './teaching.ts'

/** Longest side, pixels. */
const PICTURE_SIZE = 800

/** @returns the files: of each part the map as the station publishes it, and the picture for people. */
export async function saveOutlierHeatmaps(
  outliers: readonly TaughtOutlier[],
  teaching: Pick<Teaching, 'load'>,
  folder: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const files: string[] = []
  for (const { partId, condition, map } of outliers) {
    const stored = await teaching.load(partId, 'all')
    const modality = modalitiesOf(condition)[0]
    const frame = modality && stored?.frames[modality]
    if (stored === undefined || frame === undefined) continue
    const { frames, ...sample } = sampleOfStored(stored)
    const shown = Object.fromEntries(modalitiesOf(condition).map((name) => [name, frames[name]]))
    const pictures = await renderPictures(
      { ...sample, frames: shown },
      { map, placement: placeInSquare(frame.width, frame.height) },
      { heatmapTopic: 'heatmap', overlayTopic: 'overlay', seq: 0, maxSize: PICTURE_SIZE },
    )
    for (const { contentType, payload } of pictures) {
      const file = join(
        folder,
        `${folderNameOf(partId)}-${condition}.${contentType === 'image/png' ? 'png' : 'jpg'}`,
      )
      await writeFile(file, payload)
      files.push(file)
    }
  }
  return files
}
