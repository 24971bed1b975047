/**
 * The one schema of a bundle's manifest.json: written by models/training, read by bundle.ts.
 * A bundle is a model on disk: manifest, ONNX graphs, golden vectors. Immutable, named by its content hash.
 */
import * as z from 'zod'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex')
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a plain file name inside the bundle')
const file = z.strictObject({ name: fileName, sha256 })
const triple = z.tuple([z.number(), z.number(), z.number()])
const text = z.string().min(1)

/** Where one network's weights come from and under which licence they are shipped. */
const provenance = z.strictObject({
  licence: text,
  /** What it was trained on, by which command, from which teacher if any. */
  training: text,
  data: text,
  seed: z.int(),
  parameters: z.int().positive(),
})

export const BUNDLE_SCHEMA = 'radar-edge/bundle@2'

export const bundleManifestSchema = z.strictObject({
  schema: z.literal(BUNDLE_SCHEMA),
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  createdAt: z.iso.datetime(),
  input: z.strictObject({
    /** Square model input, pixels. */
    size: z.literal(224),
    rgb: z.strictObject({
      /** Applied to pixel / 255, per channel: (value - mean) / std. */
      mean: triple,
      std: triple,
      /** Pillow's antialiased bicubic (numerics 1.4). */
      resample: z.literal('bicubic-antialiased'),
      /** `foreground`: background pixels are zero before normalisation. `none`: the picture as it is. */
      masking: z.enum(['foreground', 'none']),
    }),
    xyz: z.strictObject({
      units: z.literal('metres'),
      resample: z.literal('nearest-floor'),
      /** Farthest point sampling's centres and the neighbours of each. */
      centres: z.int().min(16).max(4096),
      neighbours: z.int().min(8).max(512),
      /** `sample`: the tokeniser's norm uses this sample's statistics (numerics 3.4). Banks of another mode are refused. */
      normalisation: z.enum(['sample', 'running', 'none']),
      epsilon: z.number().positive(),
    }),
  }),
  grid: z.strictObject({ rows: z.literal(28), columns: z.literal(28) }),
  encoders: z.strictObject({
    /** Input `image` float32 [1,3,224,224]; output `tokens` float32 [1,784,width], row-major patches. */
    rgb: z.strictObject({ file, width: z.int().min(8).max(4096), provenance }),
    /** Inputs `groups` float32 [centres,neighbours,3] (neighbour minus centre) and `centres` float32 [centres,3]; output `tokens` float32 [centres,width]. */
    xyz: z.strictObject({ file, width: z.int().min(8).max(4096), provenance }),
  }),
  /**
   * RADAR's trained fusion: instructions, frozen transformer, hypernetwork and both MLPs as one graph (numerics 4.2). Inputs `rgb`
   * float32 [784,encoders.rgb.width] and `xyz` float32 [784,encoders.xyz.width], the encoders' patch grids, and `condition` int64 [1],
   * one of `instructions`; output `tokens` float32 [784,width]. For a missing modality the caller feeds `pseudo`.
   */
  fusion: z.strictObject({ file, width: z.int().min(8).max(4096), provenance }),
  /** Graph id of the instruction per condition. Named by what is present (numerics 7.2.3). */
  instructions: z.strictObject({
    complete: z.literal(0),
    'rgb-only': z.literal(1),
    'xyz-only': z.literal(2),
  }),
  /** safetensors: `rgb` [784,width] and `xyz` [784,width], the features of the all-ones pseudo-input: what stands in for a missing modality. */
  pseudo: file,
  /**
   * safetensors with known answers: `image` [1,3,224,224] -> `rgb_tokens` [1,784,width];
   * `groups` + `centres` -> `xyz_tokens` [centres,width]; `rgb_tokens[0]` + `xyz_patches` [784,width] -> `fused` [3,784,fusion.width],
   * entry c under instruction c, the missing modality replaced by `pseudo`.
   */
  golden: z.strictObject({ ...file.shape, maxAbsoluteError: z.number().positive() }),
  licence: text,
  /** What this bundle was measured to do, in the words of the training report. */
  measured: z.record(z.string(), z.union([z.number(), z.string()])),
})

export type BundleManifest = z.infer<typeof bundleManifestSchema>
