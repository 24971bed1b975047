import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openLog } from '../../runtime/log.ts'

t.test('the level decides what is written', async (t) => {
  const log = openLog({ level: 'warn' })
  t.equal(log.isLevelEnabled('info'), false)
  t.equal(log.isLevelEnabled('warn'), true)
})

t.test('a log line is JSON on standard error, with the time and the whole error', async (t) => {
  const module = fileURLToPath(new URL('../../runtime/log.ts', import.meta.url))
  const code = `
    const { openLog } = await import(${JSON.stringify(module)})
    openLog({ level: 'info' }).error({ error: new Error('the disk is full'), triggerId: 'run-1' }, 'outbox')`
  const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  t.equal(out, '', 'standard output belongs to results')
  const line = JSON.parse(err.trim()) as Record<string, unknown>
  t.match(line, {
    level: 50,
    triggerId: 'run-1',
    msg: 'outbox',
    error: { message: 'the disk is full', stack: /log\.test|eval/ },
  })
  t.match(line['time'], /^\d{4}-\d\d-\d\dT/)
  t.notOk('pid' in line || 'hostname' in line, 'journald knows them')
})
