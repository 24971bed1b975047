/** `radar-edge repository list | show | verify | diff | history`: looks at a product's repositories and changes nothing. */
import { join } from 'node:path'
import { messageOf } from '../../drivers/message-of.ts'
import { readBundleManifest } from '../../models/bundle.ts'
import { repositoryDiff } from '../../models/repository-diff.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { loadRepository, readManifest, RepositoryError, type Repository } from '../../models/repository.ts'
import { trustedBundleFolder } from '../bundle-folder.ts'
import { formatChecks, type Check } from '../checks.ts'
import { productOf, type Config } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { idThatBegins, keptIds } from '../kept-repositories.ts'
import { openLedger, type Ledger } from '../ledger.ts'
import { listingJson, listingOf, listRepositories } from '../repository-listing.ts'
import { diffText, historyText, listText, shortId, showText } from '../repository-report.ts'
import { RuntimeError } from '../runtime-error.ts'

export interface RepositoryOptions {
  readonly config: string
  /** Default: the one in the config. */
  readonly product?: string
  readonly json: boolean
}

/** What every one of these commands works on. */
export interface Repositories {
  readonly config: Config
  readonly root: string
  readonly product: string
  readonly ledger: Ledger
}

export async function listCommand(options: RepositoryOptions): Promise<void> {
  await withRepositories(options, async (repositories) => {
    const listings = await listRepositories(repositories)
    if (options.json) listings.forEach((listing) => printJson(listingJson(listing)))
    else process.stdout.write(listText(repositories.product, listings))
  })
}

export async function showCommand(options: RepositoryOptions & { readonly id?: string }): Promise<void> {
  await withRepositories(options, async (repositories) => {
    const listing = await listingOf(await idOrActive(options.id, repositories), repositories)
    const { manifest, history, gate } = listing
    if (options.json) printJson({ ...listingJson(listing), manifest, gate, history })
    else process.stdout.write(showText(listing))
  })
}

export interface VerifyOptions extends RepositoryOptions {
  /** Default: the one in use. */
  readonly id?: string
  readonly all: boolean
}

/**
 * Every byte of a repository against its hashes, and the repository against the bundle and engine in use. Resolves to the exit code: 1 when
 * one is damaged, or when one that was asked for cannot be used.
 */
export async function verifyCommand(options: VerifyOptions): Promise<number> {
  return withRepositories(options, async (repositories) => {
    const { root, product } = repositories
    const { id: bundleId } = await readBundleManifest(await trustedBundleFolder(repositories.config))
    const ids = options.all ? await keptIds(root, product) : [await idOrActive(options.id, repositories)]
    const verified: Verified[] = []
    for (const id of ids) verified.push(await verify(id, { ...repositories, bundleId }))
    if (options.json) verified.forEach((each) => printJson({ product, ...each }))
    else if (verified.length > 0)
      process.stdout.write(formatChecks(verified.map((each) => checkOf(each, product))))
    else process.stdout.write(`${product}: no repository is kept\n`)
    const bad = verified.filter(
      ({ whole, usable, active }) => !whole || (!usable && (active || !options.all)),
    )
    return bad.length > 0 ? 1 : 0
  })
}

interface Verified {
  readonly repositoryId: string
  readonly active: boolean
  /** Every byte is what its hash says. */
  readonly whole: boolean
  /** With the bundle and engine in use. */
  readonly usable: boolean
  readonly detail: string
}

async function verify(
  id: string,
  { root, product, ledger, bundleId }: Repositories & { readonly bundleId: string },
): Promise<Verified> {
  const folder = repositoryFolder(root, product, id)
  const about = { repositoryId: id, active: ledger.active(product) === id }
  try {
    const loaded = await loadAsMade(folder)
    if (loaded.id !== id) {
      return { ...about, whole: false, usable: false, detail: `${folder} holds repository ${loaded.id}` }
    }
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error
    return { ...about, whole: false, usable: false, detail: reasonOf(error) }
  }
  try {
    const { banks } = await loadRepository(folder, { bundleId, product })
    const rows = Object.values(banks).reduce((sum, bank) => sum + bank.rows, 0)
    return { ...about, whole: true, usable: true, detail: `every hash holds, ${rows} rows` }
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error
    return { ...about, whole: true, usable: false, detail: `every hash holds, but ${error.message}` }
  }
}

function checkOf({ repositoryId, active, whole, usable, detail }: Verified, product: string): Check {
  const name = `${shortId(repositoryId)}${active ? ' (in use)' : ''}`
  if (!whole) {
    const fix = active
      ? `radar-edge repository rollback --product ${product}, or import it again`
      : 'import it again, or remove its folder'
    return { name, state: 'failed', found: detail, fix }
  }
  return { name, state: usable ? 'ok' : active ? 'failed' : 'warning', found: detail }
}

export async function diffCommand(
  options: RepositoryOptions & { readonly before: string; readonly after: string },
): Promise<void> {
  await withRepositories(options, async ({ root, product }) => {
    const load = async (prefix: string): Promise<Repository> =>
      loadAsMade(repositoryFolder(root, product, await idThatBegins(root, product, prefix)))
    const diff = repositoryDiff(await load(options.before), await load(options.after))
    if (options.json) printJson({ product, ...diff })
    else process.stdout.write(diffText(product, diff))
  })
}

export interface HistoryOptions extends RepositoryOptions {
  /** Only of this repository. */
  readonly id?: string
  readonly limit: number
}

export async function historyCommand(options: HistoryOptions): Promise<void> {
  await withRepositories(options, async ({ root, product, ledger }) => {
    const repositoryId = options.id === undefined ? undefined : await idThatBegins(root, product, options.id)
    const entries = ledger.history({
      product,
      limit: options.limit,
      ...(repositoryId !== undefined && { repositoryId }),
    })
    if (options.json) entries.forEach(printJson)
    else process.stdout.write(historyText(entries))
  })
}

export async function withRepositories<Result>(
  options: RepositoryOptions,
  work: (repositories: Repositories) => Promise<Result>,
): Promise<Result> {
  const written = await readConfig(options.config)
  const product = productOf(options.product ?? written.product)
  const config = { ...written, product }
  const root = join(config.stateDirectory, 'repositories')
  const ledger = openLedger(root)
  try {
    return await work({ config, root, product, ledger })
  } finally {
    ledger.close()
  }
}

/** @throws RuntimeError `REPOSITORY_UNKNOWN` */
export async function idOrActive(
  prefix: string | undefined,
  { root, product, ledger }: Repositories,
): Promise<string> {
  if (prefix !== undefined) return idThatBegins(root, product, prefix)
  const active = ledger.active(product)
  if (active === undefined) {
    throw new RuntimeError('REPOSITORY_UNKNOWN', `${product} has no repository in use: name one by its id`)
  }
  return idThatBegins(root, product, active)
}

/** Whatever bundle or engine it is for. */
async function loadAsMade(folder: string): Promise<Repository> {
  const { bundle, engine, plane } = (await readManifest(folder)).manifest
  return loadRepository(folder, { bundleId: bundle.id, engine, plane })
}

/** What a damaged file does not hold is in the cause. */
function reasonOf(error: RepositoryError): string {
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
