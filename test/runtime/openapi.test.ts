import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { HTTP_ROUTES } from '../../runtime/http-routes.ts'
import { openApiText } from '../../runtime/openapi.ts'
import { OPERATIONS } from '../../runtime/operations.ts'
import { schemaFiles } from '../../runtime/schema-files.ts'

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: { readonly $ref: string } }> }
  readonly responses: Record<string, unknown>
}

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object> }
}

// As whoever reads the file gets it.
const text = openApiText(HTTP_ROUTES)
const document = JSON.parse(text) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
)

t.test('docs/openapi.json is what the routes say (otherwise: npm run docs)', async (t) => {
  t.equal(await readFile(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'), text)
})

t.test('every reference leads to a schema, and every schema is referred to', async (t) => {
  const references = new Set([...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, reference]) => reference))
  const there = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)
  t.same([...references].sort(), there.sort())
  t.notMatch(text, /"\$(schema|id|defs)"/)
})

t.test('every schema is one', async (t) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, 'api')
  for (const name of Object.keys(document.components.schemas)) {
    const schema = { $ref: `api#/components/schemas/${name}` }
    t.doesNotThrow(() => ajv.compile(schema), name)
  }
})

t.test('a parameter in a path is described, and required; others are neither', async (t) => {
  t.match(document.openapi, /^3\.1/)
  for (const { path, operationId, parameters } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    t.same(
      parameters.filter(({ required }) => required).map(({ name }) => name),
      inPath,
      operationId,
    )
    t.same(
      parameters.filter((each) => each.in === 'path').map(({ name }) => name),
      inPath,
      operationId,
    )
  }
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length, 'operations have different names')
  t.equal(operations.length, HTTP_ROUTES.length)
})

t.test('every command of the table is there with its schema, as docs/schemas has it', async (t) => {
  const files = schemaFiles()
  for (const verb of Object.keys(OPERATIONS)) {
    const { requestBody, responses } = document.paths[`/api/v1/commands/${verb}`]?.post ?? {}
    t.equal(requestBody?.content['application/json']?.schema.$ref, `#/components/schemas/cmd-${verb}`)
    t.match(Object.keys(responses ?? {}), ['200', '400', '403', '404', '409', '413', '415', '500', '503'])
    const schema = JSON.parse(files.get(`cmd-${verb}.json`) ?? '{}') as { $schema?: string }
    delete schema.$schema
    t.same(document.components.schemas[`cmd-${verb}`], schema, verb)
  }
})
