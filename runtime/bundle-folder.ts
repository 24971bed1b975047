import { fileURLToPath } from 'node:url'
import { packageFile } from './package-version.ts'

/** The folder of a bundle: a shipped one by its name, any other by its path. */
export function bundleFolder(bundle: string): string {
  return bundle.includes('/') ? bundle : fileURLToPath(packageFile(`models/bundles/${bundle}`))
}
