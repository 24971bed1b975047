/** A bundle from elsewhere: `signature.json` beside its manifest says who made it. The bundle's own hashes say that it is whole. */
import { open } from 'node:fs/promises'
import path from 'node:path'
import { replaceFile } from './durable-folder.ts'
import { ExchangeError } from './exchange-error.ts'
import { SIGNATURE_BYTES_LIMIT, SIGNATURE_FILE, signId, verifySignature, type NamedKey } from './signature.ts'

/** @param bundle that was opened, so that what is signed is known to be whole. */
export async function signBundle(
  bundle: { readonly id: string; readonly folder: string },
  signer: NamedKey,
): Promise<void> {
  await replaceFile(path.join(bundle.folder, SIGNATURE_FILE), signId('bundle', bundle.id, signer))
}

/**
 * @returns the name of the key.
 * @throws ExchangeError `UNSIGNED`, `KEY_MISSING`, `KEY_UNKNOWN` or `SIGNATURE_WRONG`, also for the signature of another bundle.
 */
export async function requireSignedBundle(
  folder: string,
  bundleId: string,
  keys: readonly NamedKey[],
): Promise<string> {
  const what = `bundle ${folder}`
  const { id, keyName } = verifySignature(await readSignature(folder), { kind: 'bundle', what, keys })
  if (id === bundleId) return keyName
  throw new ExchangeError('SIGNATURE_WRONG', `${what} has id ${bundleId}, its signature is that of ${id}`)
}

async function readSignature(folder: string): Promise<Uint8Array> {
  const file = path.join(folder, SIGNATURE_FILE)
  try {
    const handle = await open(file, 'r')
    try {
      const { size } = await handle.stat()
      if (size <= SIGNATURE_BYTES_LIMIT) return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw new ExchangeError(
      'UNSIGNED',
      `bundle ${folder} is not signed: ${file} cannot be read. Where its maker's key is: radar-edge bundle sign`,
      { cause },
    )
  }
  throw new ExchangeError('SIGNATURE_WRONG', `${file} is too large for a signature`)
}
