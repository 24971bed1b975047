import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { BundleManifest } from '../../models/bundle-manifest.ts'
import { openBundle, verifyGolden } from '../../models/bundle.ts'
import { readSafetensors, writeSafetensors } from '../../models/safetensors.ts'
import { copyTinyBundle, editManifest, flipBit, hashOf, TINY_BUNDLE } from '../support/tiny-bundle.ts'

const open = (folder: string) => openBundle(folder, { threads: 1 })

t.test('a sound bundle opens and answers its golden vectors', async (t) => {
  const bundle = await open(TINY_BUNDLE)
  t.match(bundle.id, /^[0-9a-f]{64}$/)
  t.equal(bundle.pseudo.rgb.length, 784 * bundle.manifest.encoders.rgb.width)
  t.equal(bundle.pseudo.xyz.length, 784 * bundle.manifest.encoders.xyz.width)
  const report = await verifyGolden(bundle)
  t.ok(report.rgb <= report.tolerance)
  t.ok(report.xyz <= report.tolerance)
  t.ok(report.fusion <= report.tolerance)
  await bundle.release()
})

t.test('the id depends on what the manifest says, not on how it is laid out', async (t) => {
  const plain = await open(TINY_BUNDLE)
  const folder = copyTinyBundle(t.testdir({}))
  editManifest(folder, (manifest) => Object.fromEntries(Object.entries(manifest).reverse()))
  const reordered = await open(folder)
  editManifest(folder, (manifest) => ({ ...manifest, version: '0.0.2' }))
  const changed = await open(folder)
  t.equal(reordered.id, plain.id)
  t.not(changed.id, plain.id)
  await Promise.all([plain.release(), reordered.release(), changed.release()])
})

t.test('one changed bit in any file is refused before the file is used', async (t) => {
  for (const name of ['rgb.onnx', 'xyz.onnx', 'fusion.onnx', 'pseudo.safetensors']) {
    const folder = copyTinyBundle(t.testdir({}))
    flipBit(folder, name, -7)
    await t.rejects(open(folder), { name: 'ModelError', code: 'MODEL_UNREADABLE', message: name }, name)
  }
  const folder = copyTinyBundle(t.testdir({}))
  flipBit(folder, 'golden.safetensors', -7)
  const bundle = await open(folder)
  await t.rejects(verifyGolden(bundle), { code: 'MODEL_UNREADABLE', message: 'golden.safetensors' })
  await bundle.release()
})

t.test('what cannot be a bundle is MODEL_UNREADABLE', async (t) => {
  const cases: readonly (readonly [string, (folder: string) => void])[] = [
    ['an empty folder', (folder) => rmSync(path.join(folder, 'manifest.json'))],
    ['a manifest that is not JSON', (folder) => writeFileSync(path.join(folder, 'manifest.json'), '{')],
    ['a manifest of another schema', (folder) => editManifest(folder, (m) => ({ ...m, schema: 'other@1' }))],
    ['an unknown key', (folder) => editManifest(folder, (m) => ({ ...m, extra: 1 }))],
    ['a file outside the folder', (folder) => editManifest(folder, (m) => withRgbFile(m, '../rgb.onnx'))],
    ['a graph that is absent', (folder) => rmSync(path.join(folder, 'xyz.onnx'))],
    [
      'a graph that is no ONNX file',
      (folder) => {
        writeFileSync(path.join(folder, 'rgb.onnx'), 'not a graph')
        editManifest(folder, (m) => withRgbFile(m, 'rgb.onnx', hashOf(folder, 'rgb.onnx')))
      },
    ],
    [
      'a huge manifest',
      (folder) => writeFileSync(path.join(folder, 'manifest.json'), Buffer.alloc((1 << 20) + 1, 32)),
    ],
  ]
  for (const [title, damage] of cases) {
    const folder = copyTinyBundle(t.testdir({}))
    damage(folder)
    await t.rejects(open(folder), { name: 'ModelError', code: 'MODEL_UNREADABLE' }, title)
  }
})

t.test('a bundle of another version is refused by the names of both schemas', async (t) => {
  const folder = copyTinyBundle(t.testdir({}))
  editManifest(folder, ({ fusion: _, ...rest }) => ({ ...rest, schema: 'radar-edge/bundle@1' }))
  await t.rejects(open(folder), {
    code: 'MODEL_UNREADABLE',
    message: /schema 'radar-edge\/bundle@1', expected radar-edge\/bundle@2/,
  })
})

t.test('a graph whose shape is not the manifest’s is refused with both shapes named', async (t) => {
  const folder = copyTinyBundle(t.testdir({}))
  editManifest(folder, (m) => ({ ...m, input: { ...m.input, xyz: { ...m.input.xyz, neighbours: 32 } } }))
  await t.rejects(open(folder), { code: 'MODEL_MISMATCH', message: /\[64, 16, 3\].*\[64, 32, 3\]/ })
  const narrow = copyTinyBundle(t.testdir({}))
  editManifest(narrow, (m) => ({ ...m, fusion: { ...m.fusion, width: 8 } }))
  await t.rejects(open(narrow), { code: 'MODEL_MISMATCH', message: /fusion\.onnx.*\[784, 16\].*\[784, 8\]/ })
})

t.test('a graph with other names is refused with both lists named', async (t) => {
  const folder = copyTinyBundle(t.testdir({}))
  editManifest(folder, (m) => withRgbFile(m, 'xyz.onnx', m.encoders.xyz.file.sha256))
  await t.rejects(open(folder), { code: 'MODEL_MISMATCH', message: /\[groups, centres\].*\[image\]/ })
})

t.test('a golden answer beyond the tolerance is refused with the error named', async (t) => {
  const size = 784 * 16
  for (const [name, at, graph] of [
    ['xyz_tokens', 3, 'xyz'],
    ['fused', 3, 'fusion'],
    ['fused', size + 3, 'fusion'],
    ['fused', 2 * size + 3, 'fusion'],
  ] as const) {
    for (const wrong of [0.5, Number.NaN]) {
      const folder = copyTinyBundle(t.testdir({}))
      const file = path.join(folder, 'golden.safetensors')
      const tensors = readSafetensors(readFileSync(file))
      tensors.get(name)!.data[at] = wrong
      writeFileSync(file, writeSafetensors(tensors))
      editManifest(folder, (m) => ({
        ...m,
        golden: { ...m.golden, sha256: hashOf(folder, 'golden.safetensors') },
      }))
      const bundle = await open(folder)
      await t.rejects(
        verifyGolden(bundle),
        { code: 'MODEL_MISMATCH', message: new RegExp(`${graph}\\.onnx.*allows 0\\.001`) },
        `${name} ${at}`,
      )
      await bundle.release()
    }
  }
})

function withRgbFile(manifest: BundleManifest, name: string, sha256 = manifest.encoders.rgb.file.sha256) {
  const { encoders } = manifest
  return { ...manifest, encoders: { ...encoders, rgb: { ...encoders.rgb, file: { name, sha256 } } } }
}
