/**
 * A repository is what a product's good parts look like: banks of patch features and a decision head per condition. Immutable, named
 * by what it holds. On disk it is a folder with banks.safetensors and manifest.json; every byte is checked when read.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { makeBank, type Bank } from './bank.ts'
import { contentId, sha256Of } from './content-id.ts'
import { writeFolder, type FileSystem } from './durable-folder.ts'
import { BANK_KEYS, byBankKey, GRID_PATCHES, type BankKey } from './features.ts'
import {
  REPOSITORY_SCHEMA,
  repositoryManifestSchema,
  type RepositoryManifest,
} from './repository-manifest.ts'
import { readSafetensors, writeSafetensors, type SafeTensor } from './safetensors.ts'
import { schemaOf } from './schema-of.ts'

export interface Repository {
  /** Content hash of the manifest, which names the hash of the banks. */
  readonly id: string
  readonly manifest: RepositoryManifest
  readonly banks: Readonly<Record<BankKey, Bank>>
  /** 1 where any part taught with 3D had foreground, widened by one patch: 784. It stands in for the foreground without 3D. */
  readonly foregroundPrior: Uint8Array
}

export type RepositoryErrorCode =
  /** A file is absent, damaged, tampered with, or not what the schema says. */
  | 'REPOSITORY_UNREADABLE'
  /** Whole, but for another bundle, or taught by another version of this program. */
  | 'REPOSITORY_MISMATCH'
  /** These parts make no repository. */
  | 'REPOSITORY_REFUSED'

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
export function makeRepository(contents: {
  manifest: Omit<RepositoryManifest, 'tensors'>
  banks: Repository['banks']
  foregroundPrior: Uint8Array
}): Repository {
  const { banks, foregroundPrior } = contents
  const tensors = {
    name: 'banks.safetensors' as const,
    sha256: sha256Of(encodeTensors(banks, foregroundPrior)),
  }
  const manifest = repositoryManifestSchema.parse({ ...contents.manifest, tensors })
  return { id: contentId(manifest), manifest, banks, foregroundPrior }
}

/** @param folder is created whole or not at all. A folder that holds this very repository already is left as it is. */
export async function saveRepository(
  folder: string,
  repository: Repository,
  fileSystem?: FileSystem,
): Promise<void> {
  const { id, manifest, banks, foregroundPrior } = repository
  const held = await readManifest(folder).catch(() => undefined)
  if (held?.id === id) return
  const contents = new Map([
    [manifest.tensors.name, encodeTensors(banks, foregroundPrior)],
    ['manifest.json', Buffer.from(`${JSON.stringify({ id, ...manifest }, null, 2)}\n`)],
  ])
  await writeFolder(folder, contents, fileSystem)
}

/** @throws RepositoryError `REPOSITORY_UNREADABLE` or `REPOSITORY_MISMATCH`. */
export async function loadRepository(folder: string, expected: { bundleId: string }): Promise<Repository> {
  const { id, manifest } = await readManifest(folder)
  if (manifest.bundle.id !== expected.bundleId) {
    throw new RepositoryError(
      'REPOSITORY_MISMATCH',
      `${folder} was taught with bundle ${manifest.bundle.name} ${manifest.bundle.id}, the bundle in use is ${expected.bundleId}: teach again`,
    )
  }
  const file = path.join(folder, manifest.tensors.name)
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(`${file} cannot be read`, cause)
  })
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

async function readManifest(folder: string): Promise<{ id: string; manifest: RepositoryManifest }> {
  const file = path.join(folder, 'manifest.json')
  const json = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw unreadable(`${file} cannot be read as JSON`, cause)
    })
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
  if (contentId(manifest) !== id)
    throw unreadable(`${file} was changed: its contents are not those of its id ${id}`)
  return { id, manifest }
}

function encodeTensors(banks: Repository['banks'], foregroundPrior: Uint8Array): Uint8Array {
  const tensors = new Map<string, SafeTensor>()
  for (const name of BANK_KEYS) {
    const { rows, width, values } = banks[name]
    tensors.set(name, { dtype: 'F32', shape: [rows, width], data: values })
  }
  tensors.set('foreground_prior', { dtype: 'U8', shape: [GRID_PATCHES], data: foregroundPrior })
  return writeSafetensors(tensors)
}

function decodeTensors(tensors: ReadonlyMap<string, SafeTensor>, manifest: RepositoryManifest) {
  const bankOf = (name: BankKey): Bank => {
    const tensor = tensors.get(name)
    const { rows, width } = manifest.banks[name]
    if (tensor?.dtype !== 'F32' || tensor.shape.join() !== `${rows},${width}`) {
      throw unreadable(`bank '${name}' is not F32 [${rows}, ${width}]`)
    }
    return makeBank(width, tensor.data)
  }
  const prior = tensors.get('foreground_prior')
  if (prior?.dtype !== 'U8' || prior.data.length !== GRID_PATCHES) {
    throw unreadable(`'foreground_prior' is not U8 [${GRID_PATCHES}]`)
  }
  return {
    banks: byBankKey(bankOf),
    foregroundPrior: prior.data,
  }
}

function unreadable(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError('REPOSITORY_UNREADABLE', message, { cause })
}
