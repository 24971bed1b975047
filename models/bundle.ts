/** Opens a bundle: every file is hash-checked before ONNX Runtime sees it, every graph is held against the manifest. */
import { open } from 'node:fs/promises'
import path from 'node:path'
import { BUNDLE_SCHEMA, bundleManifestSchema, type BundleManifest } from './bundle-manifest.ts'
import { contentId, sha256Of } from './content-id.ts'
import { DECIDABLE_CONDITIONS } from '../drivers/sample.ts'
import { GRID_PATCHES, INPUT_SIZE } from './features.ts'
import { fuseWith } from './fusion.ts'
import { ModelError } from './model-error.ts'
import { narrowed } from './narrow.ts'
import { readSafetensors, type SafeTensor } from './safetensors.ts'
import { schemaOf } from './schema-of.ts'
import { openGraph, type Graph } from './session.ts'
import * as z from 'zod'

/** The largest file that is read into memory to be checked; the paper-sized encoder has 0.34 GB. */
const FILE_BYTES_LIMIT = 1 << 30
const MANIFEST_BYTES_LIMIT = 1 << 20

export interface Bundle {
  /** Content hash: the name of this model in every verdict. */
  readonly id: string
  readonly folder: string
  readonly manifest: BundleManifest
  /** `image` [1,3,224,224] -> `tokens` [1,784,width]. */
  readonly rgb: Graph
  /** `groups` [centres,neighbours,3] and `centres` [centres,3] -> `tokens` [centres,width]. */
  readonly xyz: Graph
  /** `rgb` [784,width], `xyz` [784,width] and `condition` int64 [1] -> `tokens` [784,fusion width]; fusion.ts feeds it. */
  readonly fusion: Graph
  /** Features of the all-ones pseudo-input, `784 * width` each: what the fusion is fed for a missing modality. They enter no bank. */
  readonly pseudo: { readonly rgb: Float32Array; readonly xyz: Float32Array }
  release(): Promise<void>
}

/** @throws ModelError MODEL_UNREADABLE (absent, damaged, wrong hash) or MODEL_MISMATCH (names or shapes differ). */
export async function openBundle(folder: string, options: { threads: number }): Promise<Bundle> {
  const { id, manifest } = await readBundleManifest(folder)
  const { encoders, fusion: fused, input } = manifest
  const { centres, neighbours } = input.xyz
  const pseudo = await readTensors(folder, manifest.pseudo)
  const pseudoRgb = tensorOf(pseudo, 'rgb', [GRID_PATCHES, encoders.rgb.width], manifest.pseudo.name)
  const pseudoXyz = tensorOf(pseudo, 'xyz', [GRID_PATCHES, encoders.xyz.width], manifest.pseudo.name)
  const opened: Graph[] = []
  const openNext = async (file: { name: string; sha256: string }, expected: Signature): Promise<Graph> => {
    const graph = await openChecked(folder, file, options.threads, expected)
    opened.push(graph)
    return graph
  }
  const release = async (): Promise<void> => {
    for (const graph of opened.splice(0)) await graph.release()
  }
  try {
    return {
      id,
      folder,
      manifest,
      rgb: await openNext(encoders.rgb.file, {
        inputs: { image: [1, 3, INPUT_SIZE, INPUT_SIZE] },
        outputs: { tokens: [1, GRID_PATCHES, encoders.rgb.width] },
      }),
      xyz: await openNext(encoders.xyz.file, {
        inputs: { groups: [centres, neighbours, 3], centres: [centres, 3] },
        outputs: { tokens: [centres, encoders.xyz.width] },
      }),
      fusion: await openNext(fused.file, {
        inputs: {
          rgb: [GRID_PATCHES, encoders.rgb.width],
          xyz: [GRID_PATCHES, encoders.xyz.width],
          condition: [1],
        },
        outputs: { tokens: [GRID_PATCHES, fused.width] },
      }),
      pseudo: { rgb: pseudoRgb, xyz: pseudoXyz },
      release,
    }
  } catch (error) {
    await release()
    throw error
  }
}

/** Largest absolute difference between what the graphs answer here and what they answered where they were made. */
export interface GoldenReport {
  readonly rgb: number
  readonly xyz: number
  /** Over the three conditions. */
  readonly fusion: number
  readonly tolerance: number
}

/**
 * Runs the graphs on the stored inputs: a runtime that miscompiles a graph is caught before it scores a part.
 * @throws ModelError MODEL_MISMATCH beyond the manifest's tolerance, MODEL_FAILED or NOT_FINITE from the fusion.
 */
export async function verifyGolden(bundle: Bundle): Promise<GoldenReport> {
  const { golden, encoders, fusion, input } = bundle.manifest
  const { centres, neighbours } = input.xyz
  const tensors = await readTensors(bundle.folder, golden)
  const known = (name: string, dims: readonly number[]) => tensorOf(tensors, name, dims, golden.name)
  const float32 = (name: string, dims: readonly number[]) =>
    ({ type: 'float32', dims, data: known(name, dims) }) as const
  const checked = (file: { name: string }, error: number): number => {
    if (error <= golden.maxAbsoluteError) return error
    throw new ModelError(
      'MODEL_MISMATCH',
      `${file.name} answers the golden vectors with an error of ${error}, ` +
        `the manifest of '${bundle.manifest.name}' allows ${golden.maxAbsoluteError}`,
    )
  }

  const rgbTokens = known('rgb_tokens', [1, GRID_PATCHES, encoders.rgb.width])
  const rgbAnswer = await bundle.rgb.run({ image: float32('image', [1, 3, INPUT_SIZE, INPUT_SIZE]) })
  const rgb = checked(encoders.rgb.file, largestError(rgbAnswer['tokens']?.data, rgbTokens))

  const xyzTokens = known('xyz_tokens', [centres, encoders.xyz.width])
  const xyzAnswer = await bundle.xyz.run({
    groups: float32('groups', [centres, neighbours, 3]),
    centres: float32('centres', [centres, 3]),
  })
  const xyz = checked(encoders.xyz.file, largestError(xyzAnswer['tokens']?.data, xyzTokens))

  const fused = known('fused', [DECIDABLE_CONDITIONS.length, GRID_PATCHES, fusion.width])
  const size = GRID_PATCHES * fusion.width
  const xyzPatches = known('xyz_patches', [GRID_PATCHES, encoders.xyz.width])
  const part = {
    condition: 'complete',
    rgb: { width: encoders.rgb.width, values: rgbTokens },
    xyz: { width: encoders.xyz.width, values: xyzPatches },
    foregroundPatches: new Uint8Array(GRID_PATCHES).fill(1),
  } as const
  // By the way that inspecting takes, so that feeding the pseudo features is checked too.
  const fuse = fuseWith(bundle)
  let worst = 0
  for (const condition of DECIDABLE_CONDITIONS) {
    const { values } = await fuse(narrowed(part, condition))
    const entry = bundle.manifest.instructions[condition]
    const error = largestError(values, fused.subarray(entry * size, (entry + 1) * size))
    worst = Math.max(worst, checked(fusion.file, error))
  }
  return { rgb, xyz, fusion: worst, tolerance: golden.maxAbsoluteError }
}

/** The bundle's id and what it says of itself; its files are checked when it is opened. @throws ModelError MODEL_UNREADABLE */
export async function readBundleManifest(
  folder: string,
): Promise<{ readonly id: string; readonly manifest: BundleManifest }> {
  const bytes = await readBounded(path.join(folder, 'manifest.json'), MANIFEST_BYTES_LIMIT)
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw new ModelError('MODEL_UNREADABLE', `${path.join(folder, 'manifest.json')} is not JSON`, { cause })
  }
  const parsed = bundleManifestSchema.safeParse(json)
  if (!parsed.success) {
    const found = schemaOf(json)
    const problem =
      found === BUNDLE_SCHEMA
        ? `is not a ${BUNDLE_SCHEMA} manifest:\n${z.prettifyError(parsed.error)}`
        : `is of schema '${found}', expected ${BUNDLE_SCHEMA}: use a bundle that was made for this version`
    throw new ModelError('MODEL_UNREADABLE', `${path.join(folder, 'manifest.json')} ${problem}`)
  }
  return { id: contentId(parsed.data), manifest: parsed.data }
}

/** The bytes that were hashed are the bytes that are used: the file is not opened a second time. */
async function readChecked(folder: string, file: { name: string; sha256: string }): Promise<Uint8Array> {
  const bytes = await readBounded(path.join(folder, file.name), FILE_BYTES_LIMIT)
  const found = sha256Of(bytes)
  if (found !== file.sha256) {
    throw new ModelError(
      'MODEL_UNREADABLE',
      `${path.join(folder, file.name)} has SHA-256 ${found}, the manifest says ${file.sha256}`,
    )
  }
  return bytes
}

async function readBounded(filePath: string, bytesLimit: number): Promise<Uint8Array> {
  try {
    const handle = await open(filePath, 'r')
    try {
      const { size } = await handle.stat()
      if (size > bytesLimit) {
        throw new ModelError(
          'MODEL_UNREADABLE',
          `${filePath} has ${size} bytes, expected at most ${bytesLimit}`,
        )
      }
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    throw new ModelError('MODEL_UNREADABLE', `${filePath} could not be read`, { cause })
  }
}

type Signature = Readonly<Record<'inputs' | 'outputs', Readonly<Record<string, readonly number[]>>>>

async function openChecked(
  folder: string,
  file: { name: string; sha256: string },
  threads: number,
  expected: Signature,
): Promise<Graph> {
  const bytes = await readChecked(folder, file)
  let graph: Graph
  try {
    graph = await openGraph(bytes, { threads })
  } catch (cause) {
    throw new ModelError('MODEL_UNREADABLE', `${path.join(folder, file.name)} was refused by ONNX Runtime`, {
      cause,
    })
  }
  const problem =
    signatureProblem('input', graph.inputNames, expected.inputs, graph) ??
    signatureProblem('output', graph.outputNames, expected.outputs, graph)
  if (problem !== undefined) {
    await graph.release()
    throw new ModelError('MODEL_MISMATCH', `${path.join(folder, file.name)}: ${problem}`)
  }
  return graph
}

function signatureProblem(
  kind: 'input' | 'output',
  names: readonly string[],
  expected: Readonly<Record<string, readonly number[]>>,
  graph: Graph,
): string | undefined {
  const wanted = Object.keys(expected)
  if ([...names].sort().join() !== [...wanted].sort().join()) {
    return `${kind}s are [${names.join(', ')}], the manifest needs [${wanted.join(', ')}]`
  }
  for (const [name, shape] of Object.entries(expected)) {
    const found = graph.shapeOf(name)
    if (found.join() !== shape.join()) {
      return `${kind} '${name}' has shape [${found.join(', ')}], the manifest needs [${shape.join(', ')}]`
    }
  }
  return undefined
}

async function readTensors(
  folder: string,
  file: { name: string; sha256: string },
): Promise<ReadonlyMap<string, SafeTensor>> {
  const bytes = await readChecked(folder, file)
  try {
    return readSafetensors(bytes)
  } catch (cause) {
    throw new ModelError('MODEL_UNREADABLE', `${path.join(folder, file.name)} is not a safetensors file`, {
      cause,
    })
  }
}

function tensorOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  fileName: string,
): Float32Array {
  const tensor = tensors.get(name)
  if (tensor?.dtype !== 'F32' || tensor.shape.join() !== shape.join()) {
    const found = tensor === undefined ? 'absent' : `${tensor.dtype} [${tensor.shape.join(', ')}]`
    throw new ModelError(
      'MODEL_MISMATCH',
      `'${name}' in ${fileName} is ${found}, the manifest needs F32 [${shape.join(', ')}]`,
    )
  }
  return tensor.data
}

/** NaN when any difference is: the caller's `<=` then refuses. */
function largestError(found: unknown, known: Float32Array): number {
  if (!(found instanceof Float32Array) || found.length !== known.length) return Number.NaN
  let largest = 0
  for (let i = 0; i < known.length; i++) {
    const error = Math.abs(found[i]! - known[i]!)
    if (!(error <= largest)) largest = error
    if (Number.isNaN(largest)) return largest
  }
  return largest
}
