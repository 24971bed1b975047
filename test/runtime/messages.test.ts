import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { asHistorical, triggerCommandSchema, verdictSchema } from '../../runtime/messages.ts'
import { schemaFiles } from '../../runtime/schema-files.ts'
import { makePayload } from '../support/inspected.ts'

/** A validator that is not ours reads the published schemas. */
function validatorOf(name: string) {
  const ajv = new Ajv2020({ strict: true, formats: { 'date-time': true } })
  return ajv.compile(JSON.parse(schemaFiles().get(`${name}.json`) ?? '{}'))
}

t.test('a verdict keeps to the published schema, by our validator and by another', (t) => {
  const payload = JSON.parse(JSON.stringify(makePayload()))
  t.same(verdictSchema.parse(payload), payload)
  const validate = validatorOf('verdict')
  t.ok(validate(payload), JSON.stringify(validate.errors))
  t.end()
})

t.test('a field of a later version does not make an old subscriber refuse the verdict', (t) => {
  const validate = validatorOf('verdict')
  t.ok(validate({ ...makePayload(), addedLater: 1 }), JSON.stringify(validate.errors))
  t.ok(verdictSchema.safeParse({ ...makePayload(), addedLater: 1 }).success)
  t.end()
})

t.test('a verdict without its number, or with a score that is no probability, is refused', (t) => {
  const validate = validatorOf('verdict')
  const unnumbered = { ...makePayload(), seq: undefined }
  for (const payload of [
    unnumbered,
    { ...makePayload(), score: 1.2 },
    { ...makePayload(), outcome: 'maybe' },
  ]) {
    t.notOk(validate(payload))
    t.notOk(verdictSchema.safeParse(payload).success)
  }
  t.end()
})

t.test('an unknown field in a command is a mistake of the sender', (t) => {
  t.ok(triggerCommandSchema.safeParse({ partId: 'x' }).success)
  t.notOk(triggerCommandSchema.safeParse({ partID: 'x' }).success)
  t.notOk(validatorOf('cmd-trigger')({ partID: 'x' }))
  t.end()
})

t.test('a late verdict differs in its mark only', (t) => {
  const payload = makePayload()
  t.same(JSON.parse(asHistorical(JSON.stringify(payload))), { ...payload, historical: true })
  t.end()
})
