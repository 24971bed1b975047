/**
 * A repository on its way between stations: one signed file. It is read in the order of belief: the signature, by a trusted
 * key, over an id; the manifest, which must have that id; then as many bytes of banks as the manifest says, with the hash that it
 * says. All of that happens in memory, so nothing of what is refused has ever been on the disk.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { BundleManifest } from './bundle-manifest.ts'
import { openArchive, packArchive } from './archive.ts'
import { contentId, sha256Of, type Json } from './content-id.ts'
import { flushName, removeFolder, writeFolder, type FileSystem } from './durable-folder.ts'
import { ENGINE } from './engine.ts'
import { ExchangeError, type ExchangeErrorCode } from './exchange-error.ts'
import { BANK_KEYS, GRID_PATCHES } from './features.ts'
import {
  loadRepository,
  parseManifest,
  PER_FRAME_PLANE,
  RepositoryError,
  repositoryOf,
  type NamedManifest,
  type Repository,
} from './repository.ts'
import { REPOSITORY_SCHEMA, type RepositoryManifest } from './repository-manifest.ts'
import { schemaOf } from './schema-of.ts'
import { SIGNATURE_BYTES_LIMIT, SIGNATURE_FILE, signId, verifySignature, type NamedKey } from './signature.ts'

const MANIFEST_FILE = 'manifest.json'
const TENSORS_FILE = 'banks.safetensors'
/** Each can be judged by those before it. */
const ENTRIES = [SIGNATURE_FILE, MANIFEST_FILE, TENSORS_FILE] as const
/** A part takes 200 bytes: this is 20,000 of them. */
const MANIFEST_BYTES_LIMIT = 4 << 20
/** safetensors' own header names eleven tensors: 1.5 kB. */
const TENSORS_HEADER_LIMIT = 64 << 10
const ELEMENT_BYTES = 4

/** What an archive must be to be believed here. */
export interface ImportContext {
  readonly product: string
  /** In use at this station. */
  readonly bundle: { readonly id: string; readonly manifest: Pick<BundleManifest, 'input'> }
  /** Default: this build's engine. */
  readonly engine?: string
  /** Default: each frame's own plane. */
  readonly plane?: string
  readonly keys: readonly NamedKey[]
  /** Of the rows of all banks: the recipe's byte budget. */
  readonly mostRowBytes: number
  readonly signal?: AbortSignal
}

export interface UnpackedRepository {
  readonly repository: Repository
  /** Whose signature it carries. */
  readonly keyName: string
  /** Of the repository's folder, byte for byte as they came. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

export function archiveName({ id, manifest }: NamedManifest): string {
  return `${manifest.product}-${id.slice(0, 12)}.radar-repository`
}

/** Everything is checked before it is signed. @returns the archive's bytes, equal for an equal repository and key. */
export async function packRepository(
  folder: string,
  signer: NamedKey,
): Promise<NamedManifest & { readonly bytes: Uint8Array }> {
  const file = path.join(folder, MANIFEST_FILE)
  const read = (name: string): Promise<Buffer> =>
    readFile(path.join(folder, name)).catch((cause: unknown) => {
      throw new RepositoryError('REPOSITORY_UNREADABLE', `${path.join(folder, name)} cannot be read`, {
        cause,
      })
    })
  const text = await read(MANIFEST_FILE)
  const named = parseManifest(jsonOf(text), file)
  const tensors = await read(TENSORS_FILE)
  repositoryOf(named, { bytes: tensors, file: path.join(folder, TENSORS_FILE) })
  const bytes = await packArchive([
    { name: SIGNATURE_FILE, bytes: signId('repository', named.id, signer) },
    { name: MANIFEST_FILE, bytes: text },
    { name: TENSORS_FILE, bytes: tensors },
  ])
  return { ...named, bytes }
}

/** @throws ExchangeError with a code of its own for every reason to refuse the archive. */
export async function unpackRepository(file: string, context: ImportContext): Promise<UnpackedRepository> {
  const { mostRowBytes, keys, signal } = context
  // A row has one value at least, and one number beside it: which part it is from.
  const mostBytes = 2 * mostRowBytes + MANIFEST_BYTES_LIMIT + 2 * TENSORS_HEADER_LIMIT
  const archive = await openArchive(file, { names: ENTRIES, mostBytes, ...(signal && { signal }) })
  try {
    if (await archive.nextIs(MANIFEST_FILE)) throw new ExchangeError('UNSIGNED', `${file} is not signed`)
    const signature = await archive.take(SIGNATURE_FILE, SIGNATURE_BYTES_LIMIT)
    const { id, keyName } = verifySignature(signature, { kind: 'repository', what: file, keys })
    const text = await archive.take(MANIFEST_FILE, MANIFEST_BYTES_LIMIT)
    const named = believedManifest(text, { file, id })
    requireContext(file, named.manifest, context)
    const tensors = await archive.take(TENSORS_FILE, tensorsBytes(named.manifest))
    await archive.end()
    const repository = believedRepository(named, { bytes: tensors, file: `${file}: ${TENSORS_FILE}` })
    const files = new Map([
      [TENSORS_FILE, tensors],
      [MANIFEST_FILE, text],
    ])
    return { repository, keyName, files }
  } finally {
    await archive.close()
  }
}

/** Afterwards `folder` holds the repository whole; killed on the way, it holds nothing or what it held before. */
export async function keepRepository(
  folder: string,
  { repository, files }: Pick<UnpackedRepository, 'repository' | 'files'>,
  fileSystem?: FileSystem,
): Promise<void> {
  const { bundle, engine, plane } = repository.manifest
  const held = await loadRepository(folder, { bundleId: bundle.id, engine, plane }).catch(
    (error: unknown) => {
      if (error instanceof RepositoryError) return undefined
      throw error
    },
  )
  if (held?.id === repository.id) return flushName(folder, fileSystem)
  // Absent, or damaged: then this heals it.
  await removeFolder(folder, fileSystem)
  await writeFolder(folder, files, fileSystem)
}

/** Of this very id, whatever else it says: only then is it worth saying what else is wrong with it. */
function believedManifest(text: Uint8Array, expected: { file: string; id: string }): NamedManifest {
  const { file, id } = expected
  const where = `${file}: ${MANIFEST_FILE}`
  const json = jsonOf(text)
  const found = idOf(json)
  if (found !== id) {
    throw new ExchangeError('ID_WRONG', `${where} has contents of id ${found ?? 'none'}, signed is ${id}`)
  }
  const schema = schemaOf(json)
  if (schema !== REPOSITORY_SCHEMA) {
    throw new ExchangeError(
      'OTHER_SCHEMA',
      `${where} is of schema '${schema}', expected ${REPOSITORY_SCHEMA}`,
    )
  }
  const { units } = json as { units?: unknown }
  if (units !== 'metres') {
    throw new ExchangeError('OTHER_UNITS', `${where} is in ${JSON.stringify(units)}, expected "metres"`)
  }
  try {
    return parseManifest(json, where)
  } catch (cause) {
    throw asContentsWrong(cause)
  }
}

function requireContext(file: string, manifest: RepositoryManifest, context: ImportContext): void {
  const { product, bundle, engine = ENGINE, plane = PER_FRAME_PLANE, mostRowBytes } = context
  const { masking } = bundle.manifest.input.rgb
  const { normalisation } = bundle.manifest.input.xyz
  const own = manifest.bundle
  const checks: [code: ExchangeErrorCode, what: string, found: string, expected: string][] = [
    ['OTHER_PRODUCT', 'product', manifest.product, product],
    ['OTHER_BUNDLE', 'bundle', own.id, bundle.id],
    ['OTHER_NORMALISATION', 'normalisation', own.normalisation, normalisation],
    ['OTHER_NORMALISATION', 'masking', own.masking, masking],
    ['OTHER_ENGINE', 'engine', manifest.engine, engine],
    ['OTHER_PLANE', 'plane', manifest.plane, plane],
  ]
  for (const [code, what, found, expected] of checks) {
    if (found === expected) continue
    throw new ExchangeError(code, `${file} is of ${what} '${found}', expected '${expected}'`)
  }
  const rowBytes = rowBytesOf(manifest)
  if (rowBytes > mostRowBytes) {
    throw new ExchangeError(
      'ARCHIVE_OVERSIZED',
      `${file} has banks of ${rowBytes} bytes, the recipe's bankMebibytes allows ${mostRowBytes}`,
    )
  }
}

function rowBytesOf({ banks }: RepositoryManifest): number {
  return BANK_KEYS.reduce((sum, key) => sum + banks[key].rows * banks[key].width * ELEMENT_BYTES, 0)
}

/** At most: the rows, which part each is from, the foreground prior and a header. */
function tensorsBytes(manifest: RepositoryManifest): number {
  const rows = BANK_KEYS.reduce((sum, key) => sum + manifest.banks[key].rows, 0)
  return rowBytesOf(manifest) + rows * ELEMENT_BYTES + GRID_PATCHES + TENSORS_HEADER_LIMIT
}

function believedRepository(
  named: NamedManifest,
  tensors: { readonly bytes: Uint8Array; readonly file: string },
): Repository {
  const { sha256 } = named.manifest.tensors
  const found = sha256Of(tensors.bytes)
  if (found !== sha256) {
    throw new ExchangeError('HASH_WRONG', `${tensors.file} has SHA-256 ${found}, the manifest says ${sha256}`)
  }
  try {
    return repositoryOf(named, tensors)
  } catch (cause) {
    throw asContentsWrong(cause)
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // Not even JSON: it has neither schema nor id.
    return undefined
  }
}

/** Of everything but the key `id`; undefined for what has none, e.g. lists that are nested too deep. */
function idOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('id' in json)) return undefined
  const { id, ...manifest } = json as Readonly<Record<string, Json>>
  try {
    const found = contentId(manifest)
    return found === id ? found : undefined
  } catch {
    return undefined
  }
}

function asContentsWrong(cause: unknown): unknown {
  if (!(cause instanceof RepositoryError)) return cause
  return new ExchangeError('CONTENTS_WRONG', cause.message, { cause })
}
