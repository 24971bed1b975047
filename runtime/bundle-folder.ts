import { fileURLToPath } from 'node:url'
import { requireSignedBundle } from '../models/bundle-signature.ts'
import { readBundleManifest } from '../models/bundle.ts'
import { readTrustedKeys } from '../models/signature.ts'
import type { Config } from './config-schema.ts'
import { packageFile } from './package-version.ts'

/** The folder of a bundle: a shipped one by its name, any other by its path. */
export function bundleFolder(bundle: string): string {
  return bundle.includes('/') ? bundle : fileURLToPath(packageFile(`models/bundles/${bundle}`))
}

/**
 * The folder of the config's bundle. One that came with this package is believed as this package is; one from elsewhere must be signed
 * with a key that the config trusts, as soon as it trusts any.
 * @throws ExchangeError, ModelError MODEL_UNREADABLE.
 */
export async function trustedBundleFolder({
  bundle,
  trust,
}: Pick<Config, 'bundle' | 'trust'>): Promise<string> {
  const folder = bundleFolder(bundle)
  const isShipped = !bundle.includes('/')
  if (isShipped || trust.keys.length === 0) return folder
  const { id } = await readBundleManifest(folder)
  await requireSignedBundle(folder, id, await readTrustedKeys(trust.keys))
  return folder
}
