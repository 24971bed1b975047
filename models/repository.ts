/**
 * A repository is what a product's good parts look like: banks of patch features and a decision head per condition. Immutable, named
 * by what it holds. On disk it is a folder with banks.safetensors and manifest.json; every byte is checked when read.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { makeBank, type Bank } from './bank.ts'
import { contentId, sha256Of } from './content-id.ts'
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import { BANKS_OF } from './comparison.ts'
import { flushName, removeFolder, writeFolder, type FileSystem } from './durable-folder.ts'
import { BANK_KEYS, byBankKey, GRID_PATCHES, type BankKey } from './features.ts'
import { ENGINE } from './engine.ts'
import {
  REPOSITORY_SCHEMA,
  repositoryManifestSchema,
  type DecisionHead,
  type RepositoryManifest,
} from './repository-manifest.ts'
import { readSafetensors, writeSafetensors, type SafeTensor } from './safetensors.ts'
import { schemaOf } from './schema-of.ts'

export interface Repository {
  /** Content hash of the manifest, which names the hash of the banks. */
  readonly id: string
  readonly manifest: RepositoryManifest
  readonly banks: Readonly<Record<BankKey, Bank>>
  /** Per row of a bank: index into the manifest's `taught` of the part that it is from. */
  readonly rowParts: Readonly<Record<BankKey, Int32Array>>
  /** 1 where any part taught with 3D had foreground, widened by one patch: 784. It stands in for the foreground without 3D. */
  readonly foregroundPrior: Uint8Array
}

/** What a repository must have been made with to be believed. */
export interface RepositoryContext {
  readonly bundleId: string
  /** Default: this build's engine. */
  readonly engine?: string
  /** Default: each frame's own plane. */
  readonly plane?: string
  /** Default: any. */
  readonly product?: string
}

/** The plane of a station that has none calibrated. */
export const PER_FRAME_PLANE = 'per-frame'

/** A manifest under the id that it has been checked to have. */
export type NamedManifest = Pick<Repository, 'id' | 'manifest'>

type Contents = Pick<Repository, 'banks' | 'rowParts' | 'foregroundPrior'>

const ERROR_CODES = [
  /** A file is absent, damaged, tampered with, or not what the schema says. */
  'REPOSITORY_UNREADABLE',
  /** Whole, but for another bundle, engine, plane or product, or taught by another version of this program. */
  'REPOSITORY_MISMATCH',
  /** These parts make no repository. */
  'REPOSITORY_REFUSED',
] as const
export type RepositoryErrorCode = (typeof ERROR_CODES)[number]

/** A code that came from the inference host; undefined for an error of another kind. */
export function asRepositoryErrorCode(text: string): RepositoryErrorCode | undefined {
  return ERROR_CODES.find((code) => code === text)
}

export class RepositoryError extends Error {
  override readonly name = 'RepositoryError'
  readonly code: RepositoryErrorCode

  constructor(code: RepositoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const fileSchema = z.strictObject({ id: z.string(), ...repositoryManifestSchema.shape })

/** Names the contents; the tensors' hash is filled in here. */
export function makeRepository({
  manifest: named,
  ...contents
}: Contents & { readonly manifest: Omit<RepositoryManifest, 'tensors'> }): Repository {
  const tensors = { name: 'banks.safetensors' as const, sha256: sha256Of(encodeTensors(contents)) }
  const manifest = repositoryManifestSchema.parse({ ...named, tensors })
  const { banks, rowParts, foregroundPrior } = contents
  return { id: contentId(manifest), manifest, banks, rowParts, foregroundPrior }
}

/**
 * @param folder is created whole or not at all. One that holds this very repository already is left as it is; one that
 * did, and is damaged, is replaced, so that teaching again heals it.
 */
export async function saveRepository(
  folder: string,
  repository: Repository,
  fileSystem?: FileSystem,
): Promise<void> {
  const { id, manifest } = repository
  const held = await readManifest(folder).catch(() => undefined)
  if (
    held?.id === id &&
    (await hashOfFile(path.join(folder, manifest.tensors.name))) === manifest.tensors.sha256
  ) {
    return flushName(folder, fileSystem)
  }
  // Whatever else is there stays, and is in the way.
  if (held?.id === id || path.basename(folder) === id) await removeFolder(folder, fileSystem)
  const contents = new Map([
    [manifest.tensors.name, encodeTensors(repository)],
    ['manifest.json', Buffer.from(`${JSON.stringify({ id, ...manifest }, null, 2)}\n`)],
  ])
  await writeFolder(folder, contents, fileSystem)
}

async function hashOfFile(file: string): Promise<string | undefined> {
  return readFile(file).then(sha256Of, () => undefined)
}

/** @throws RepositoryError `REPOSITORY_UNREADABLE` or `REPOSITORY_MISMATCH`. */
export async function loadRepository(folder: string, expected: RepositoryContext): Promise<Repository> {
  const named = await readManifest(folder)
  requireContext(folder, named.manifest, expected)
  const file = path.join(folder, named.manifest.tensors.name)
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(`${file} cannot be read`, cause)
  })
  return repositoryOf(named, { bytes, file })
}

/** Checks the tensors' hash; `file` names them in messages. @throws RepositoryError `REPOSITORY_UNREADABLE`. */
export function repositoryOf(
  { id, manifest }: NamedManifest,
  { bytes, file }: { readonly bytes: Uint8Array; readonly file: string },
): Repository {
  const found = sha256Of(bytes)
  if (found !== manifest.tensors.sha256) {
    throw unreadable(`${file} has SHA-256 ${found}, the manifest says ${manifest.tensors.sha256}`)
  }
  try {
    return { id, manifest, ...decodeTensors(readSafetensors(bytes), manifest) }
  } catch (cause) {
    throw unreadable(`${file} does not hold what the manifest says`, cause)
  }
}

function requireContext(folder: string, manifest: RepositoryManifest, expected: RepositoryContext): void {
  const { bundleId, engine = ENGINE, plane = PER_FRAME_PLANE, product = manifest.product } = expected
  const mismatch = (what: string): RepositoryError =>
    new RepositoryError('REPOSITORY_MISMATCH', `${folder} ${what}`)
  if (manifest.bundle.id !== bundleId) {
    throw mismatch(
      `was taught with bundle ${manifest.bundle.name} ${manifest.bundle.id}, the bundle in use is ${bundleId}: rebuild or teach again`,
    )
  }
  if (manifest.engine !== engine) {
    throw mismatch(`has features of engine ${manifest.engine}, the engine in use is ${engine}: rebuild it`)
  }
  if (manifest.plane !== plane) {
    throw mismatch(`was taught with plane '${manifest.plane}', the plane in use is '${plane}': teach again`)
  }
  if (manifest.product !== product) throw mismatch(`is of product '${manifest.product}', not of '${product}'`)
}

/** A manifest and its tensors without loading them: for lists and histories. @throws RepositoryError as loadRepository. */
export async function readManifest(folder: string): Promise<NamedManifest> {
  const file = path.join(folder, 'manifest.json')
  const json = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw unreadable(`${file} cannot be read as JSON`, cause)
    })
  return parseManifest(json, file)
}

/** @param file names it in messages. @throws RepositoryError as loadRepository. */
export function parseManifest(json: unknown, file: string): NamedManifest {
  const schema = schemaOf(json)
  if (schema !== REPOSITORY_SCHEMA && /^radar-edge\/repository@\d+$/.test(schema)) {
    throw new RepositoryError(
      'REPOSITORY_MISMATCH',
      `${file} is of schema '${schema}', this version needs ${REPOSITORY_SCHEMA}: teach again`,
    )
  }
  const parsed = fileSchema.safeParse(json)
  if (!parsed.success) throw unreadable(`${file} is no repository manifest: ${z.prettifyError(parsed.error)}`)
  const { id, ...manifest } = parsed.data
  const bent = DECIDABLE_CONDITIONS.find((condition) => !fits(manifest.heads[condition], condition))
  if (bent !== undefined) {
    throw unreadable(`${file}: the ${bent} head is not one of banks ${BANKS_OF[bent].join(', ')}`)
  }
  if (contentId(manifest) !== id)
    throw unreadable(`${file} was changed: its contents are not those of its id ${id}`)
  return { id, manifest }
}

/** Lengths that do not fit each other would be read as numbers of other banks. */
function fits({ banks, mahalanobis, map }: DecisionHead, condition: DecidableCondition): boolean {
  const { length } = BANKS_OF[condition]
  const { origin, covariance } = mahalanobis
  return (
    banks.join() === BANKS_OF[condition].join() &&
    [origin, covariance, map.weights, ...covariance].every((list) => list.length === length)
  )
}

function encodeTensors({ banks, rowParts, foregroundPrior }: Contents): Uint8Array {
  const tensors = new Map<string, SafeTensor>()
  for (const name of BANK_KEYS) {
    const { rows, width, values } = banks[name]
    tensors.set(name, { dtype: 'F32', shape: [rows, width], data: values })
    tensors.set(partsOf(name), { dtype: 'I32', shape: [rows], data: rowParts[name] })
  }
  tensors.set('foreground_prior', { dtype: 'U8', shape: [GRID_PATCHES], data: foregroundPrior })
  return writeSafetensors(tensors)
}

const partsOf = (name: BankKey) => `${name}_parts`

function decodeTensors(tensors: ReadonlyMap<string, SafeTensor>, manifest: RepositoryManifest): Contents {
  const bankOf = (name: BankKey): Bank => {
    const tensor = tensors.get(name)
    const { rows, width } = manifest.banks[name]
    if (tensor?.dtype !== 'F32' || tensor.shape.join() !== `${rows},${width}`) {
      throw unreadable(`bank '${name}' is not F32 [${rows}, ${width}]`)
    }
    return makeBank(width, tensor.data)
  }
  const rowPartsOf = (name: BankKey): Int32Array => {
    const tensor = tensors.get(partsOf(name))
    const { rows } = manifest.banks[name]
    const { length } = manifest.taught
    if (tensor?.dtype !== 'I32' || tensor.data.length !== rows) {
      throw unreadable(`'${partsOf(name)}' is not I32 [${rows}]`)
    }
    const stray = tensor.data.find((part) => part < 0 || part >= length)
    if (stray !== undefined) throw unreadable(`'${partsOf(name)}' names part ${stray} of ${length}`)
    return tensor.data
  }
  const prior = tensors.get('foreground_prior')
  if (prior?.dtype !== 'U8' || prior.data.length !== GRID_PATCHES) {
    throw unreadable(`'foreground_prior' is not U8 [${GRID_PATCHES}]`)
  }
  return { banks: byBankKey(bankOf), rowParts: byBankKey(rowPartsOf), foregroundPrior: prior.data }
}

function unreadable(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError('REPOSITORY_UNREADABLE', message, { cause })
}
