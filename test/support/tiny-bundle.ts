/** The tiny bundle of test/fixtures, and broken copies of it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BundleManifest } from '../../models/bundle-manifest.ts'
import { sha256Of } from '../../models/content-id.ts'

export const TINY_BUNDLE = fileURLToPath(new URL('../fixtures/tiny-bundle', import.meta.url))

const NAMES = [
  'manifest.json',
  'rgb.onnx',
  'xyz.onnx',
  'fusion.onnx',
  'pseudo.safetensors',
  'golden.safetensors',
] as const

/** Copies the tiny bundle into `folder`, which must exist, and returns it. */
export function copyTinyBundle(folder: string): string {
  for (const name of NAMES) {
    cpSync(path.join(TINY_BUNDLE, name), path.join(folder, name))
  }
  return folder
}

export function editManifest(folder: string, edit: (manifest: BundleManifest) => unknown): void {
  const file = path.join(folder, 'manifest.json')
  writeFileSync(file, JSON.stringify(edit(JSON.parse(readFileSync(file, 'utf8')) as BundleManifest)))
}

/** Flips one bit of a file; `position` counts from the end when negative. */
export function flipBit(folder: string, name: string, position: number): void {
  const file = path.join(folder, name)
  const bytes = readFileSync(file)
  const at = position < 0 ? bytes.length + position : position
  bytes[at] = bytes[at]! ^ 1
  writeFileSync(file, bytes)
}

/** SHA-256 of a file of the bundle as it now is. */
export function hashOf(folder: string, name: string): string {
  return sha256Of(readFileSync(path.join(folder, name)))
}

/** Overwrites one weight of the RGB convolution and puts the manifest's hash and golden tolerance right. */
export function overwriteRgbWeight(folder: string, weight: number): void {
  const file = path.join(folder, 'rgb.onnx')
  const bytes = readFileSync(file)
  // One of those that take the mean of a colour.
  const known = Buffer.alloc(4)
  known.writeFloatLE(1 / 64)
  const at = bytes.indexOf(known)
  if (at < 0) throw new Error('the weight is not where make.py puts it')
  bytes.writeFloatLE(weight, at)
  writeFileSync(file, bytes)
  editManifest(folder, ({ encoders, golden, ...rest }) => ({
    ...rest,
    golden: { ...golden, maxAbsoluteError: 3.3e38 },
    encoders: {
      ...encoders,
      rgb: { ...encoders.rgb, file: { name: 'rgb.onnx', sha256: hashOf(folder, 'rgb.onnx') } },
    },
  }))
}
