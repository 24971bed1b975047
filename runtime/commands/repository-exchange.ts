/** `radar-edge repository export | import`: one signed file from station to station. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readBundleManifest } from '../../models/bundle.ts'
import { replaceFile } from '../../models/durable-folder.ts'
import { archiveName, keepRepository, packRepository, unpackRepository } from '../../models/exchange.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { readSigningKey, readTrustedKeys } from '../../models/signature.ts'
import { trustedBundleFolder } from '../bundle-folder.ts'
import { recipeOf } from '../config-schema.ts'
import { shortId } from '../repository-report.ts'
import { userName } from '../user-name.ts'
import { idOrActive, printJson, withRepositories, type RepositoryOptions } from './repository.ts'

export interface ExportOptions extends RepositoryOptions {
  /** Default: the one in use. */
  readonly id?: string
  /** A file, or a folder to put it in under its own name. */
  readonly out: string
}

export async function exportCommand(options: ExportOptions): Promise<void> {
  await withRepositories(options, async (repositories) => {
    const { config, root, product } = repositories
    const id = await idOrActive(options.id, repositories)
    const signer = await readSigningKey(config.trust.signing)
    const packed = await packRepository(repositoryFolder(root, product, id), signer)
    const isFolder = (await stat(options.out).catch(() => undefined))?.isDirectory() === true
    const file = isFolder ? join(options.out, archiveName(packed)) : options.out
    await replaceFile(file, packed.bytes)
    const report = { product, repositoryId: id, file, bytes: packed.bytes.length, keyName: signer.name }
    if (options.json) printJson(report)
    else process.stdout.write(`${product} ${shortId(id)} is in ${file}, signed by '${signer.name}'\n`)
  })
}

export interface ImportOptions extends RepositoryOptions {
  readonly file: string
  /** Default: the user of this process. */
  readonly who?: string
  /** Default: the file's name. */
  readonly why?: string
  readonly signal: AbortSignal
}

/** It becomes a candidate: only the gate puts it into use. */
export async function importCommand(options: ImportOptions): Promise<void> {
  await withRepositories(options, async ({ config, root, product, ledger }) => {
    const { file, who = userName(), signal } = options
    const unpacked = await unpackRepository(file, {
      product,
      bundle: await readBundleManifest(await trustedBundleFolder(config)),
      keys: await readTrustedKeys(config.trust.keys),
      mostRowBytes: Math.round(recipeOf(config).bankMebibytes * 2 ** 20),
      signal,
    })
    const { repository, keyName } = unpacked
    const why = options.why ?? `from ${basename(file)}, signed by '${keyName}'`
    // Before its folder: what the ledger knows is not taken for somebody's leftover.
    ledger.record({
      product,
      action: 'import',
      repositoryId: repository.id,
      who,
      why,
      figures: { keyName, file: basename(file) },
    })
    const folder = repositoryFolder(root, product, repository.id)
    await keepRepository(folder, unpacked)
    if (options.json) return printJson({ product, repositoryId: repository.id, keyName, folder })
    const id = shortId(repository.id)
    process.stdout.write(
      `${product} ${id}, signed by '${keyName}', is a candidate. Put it into use: ` +
        `radar-edge repository promote ${id} --product ${product}\n`,
    )
  })
}
