import t from 'tap'
import { ModelError } from '../../models/model-error.ts'
import { PartError } from '../../models/stored-part.ts'
import { errorCodeOf } from '../../runtime/error-code.ts'
import { HttpError, statusOf } from '../../runtime/http-error.ts'
import { JobError } from '../../runtime/job-runner.ts'
import { RuntimeError } from '../../runtime/runtime-error.ts'

t.test('only our own errors have a code that whoever asked may decide on', async (t) => {
  t.equal(errorCodeOf(new RuntimeError('JOB_BUSY', '')), 'JOB_BUSY')
  t.equal(errorCodeOf(new JobError('LEDGER_CONFLICT', '')), 'LEDGER_CONFLICT')
  t.equal(errorCodeOf(new ModelError('MODEL_FAILED', '')), 'MODEL_FAILED')
  t.equal(errorCodeOf(new PartError('PART_UNKNOWN', '')), 'PART_UNKNOWN')
  t.equal(errorCodeOf(new HttpError('BAD_REQUEST', '')), 'BAD_REQUEST')
  for (const error of [
    Object.assign(new Error(), { code: 'ENOENT' }),
    { code: 'JOB_BUSY' },
    'text',
    undefined,
  ]) {
    t.equal(errorCodeOf(error), undefined)
  }
})

t.test('what nobody has thought of is a failure of ours', async (t) => {
  t.equal(statusOf('JOB_BUSY'), 409)
  for (const code of ['JOB_FAILED', 'ENOENT', 'constructor', '']) t.equal(statusOf(code), 500)
})
