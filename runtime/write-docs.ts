/** `npm run docs`: writes the pages and schemas that are generated from code. Tests say whether they are up to date. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { configReference } from './config-reference.ts'
import { packageFile } from './package-version.ts'
import { writeSchemas } from './schema-files.ts'

await writeFile(new URL('config.md', packageFile('docs/')), configReference())
await writeSchemas(fileURLToPath(packageFile('docs/schemas')))
