/** `npm run docs`: writes the pages and schemas that are generated from code. Tests say whether they are up to date. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { configReference } from './config-reference.ts'
import { HTTP_ROUTES } from './http-routes.ts'
import { openApiText } from './openapi.ts'
import { packageFile } from './package-version.ts'
import { writeSchemas } from './schema-files.ts'

await writeFile(new URL('config.md', packageFile('docs/')), configReference())
await writeFile(new URL('openapi.json', packageFile('docs/')), openApiText(HTTP_ROUTES))
await writeSchemas(fileURLToPath(packageFile('docs/schemas')))
