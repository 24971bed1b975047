import { existsSync, readFileSync } from 'node:fs'

/** The version in package.json, found from the sources as well as from dist/. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }
  return version
}

/** A file or folder of this package by its path from the package's root. */
export function packageFile(path: string): URL {
  const isSource = existsSync(new URL('../package.json', import.meta.url))
  return new URL(isSource ? `../${path}` : `../../${path}`, import.meta.url)
}
