import { createServer, type AddressInfo } from 'node:net'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  checkBroker,
  checkMachine,
  checkNode,
  checkPromise,
  checkStateDirectory,
  checkWallClock,
  formatChecks,
} from '../../runtime/checks.ts'

t.test('Node.js is good enough from 20.19 on', async (t) => {
  const cases: [version: string, state: string][] = [
    ['18.20.4', 'failed'],
    ['20.9.0', 'failed'],
    ['20.18.3', 'failed'],
    ['20.19.0', 'ok'],
    ['20.20.2', 'ok'],
    ['22.1.0', 'ok'],
    ['100.0.0', 'ok'],
  ]
  for (const [version, state] of cases) t.equal(checkNode(version).state, state, version)
  t.match(checkNode('18.0.0').fix, /20\.19/)
})

t.test('a clock that was never set is found before it stamps anything', async (t) => {
  t.match(checkWallClock(new Date('1970-01-01T00:03:00Z')), { state: 'failed', fix: /timedatectl/ })
  t.match(checkWallClock(new Date('2027-05-01T00:00:00Z')), { state: 'ok', found: /^2027-05-01/ })
})

t.test('this machine is one that the tests may run on', async (t) => {
  t.not(checkMachine().state, 'failed')
})

t.test('a state directory is made, written to and left empty', async (t) => {
  const folder = join(t.testdir(), 'deep', 'state')
  const check = await checkStateDirectory(folder)
  t.not(check.state, 'failed', 'a slow or full disk is only a warning')
  t.match(check.found, /GiB free, durable write in [\d.]+ ms/)
  t.same(await readdir(folder), [])
})

t.test('a state directory that cannot be written to fails with its path in the fix', async (t) => {
  const file = join(t.testdir(), 'taken')
  await writeFile(file, '')
  for (const folder of [file, join(file, 'below')]) {
    const check = await checkStateDirectory(folder)
    t.match(check, { state: 'failed', fix: new RegExp(folder) })
  }
  const locked = t.testdir({ locked: {} })
  await chmod(join(locked, 'locked'), 0o500)
  const asRoot = process.getuid?.() === 0
  t.equal((await checkStateDirectory(join(locked, 'locked'))).state === 'failed', !asRoot)
})

t.test('a broker that listens answers, by name and by either kind of address', async (t) => {
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const { port, address, family } = server.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  for (const url of [`mqtt://${host}:${port}`, `mqtts://localhost:${port}`, `ws://${host}:${port}/mqtt`]) {
    t.match(await checkBroker(url), { state: 'ok', found: new RegExp(String(port)) }, url)
  }
})

t.test('a broker that does not listen fails and is named', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  t.match(await checkBroker(`mqtt://127.0.0.1:${port}`), { state: 'failed', fix: `127.0.0.1:${port}` })
})

t.test('a URL without a port means the one that the client will dial', async (t) => {
  // A name that never resolves: only the fix shows which port was meant.
  const cases: [url: string, target: string][] = [
    ['mqtt://broker.invalid', 'broker.invalid:1883'],
    ['tcp://broker.invalid', 'broker.invalid:1883'],
    ['mqtts://broker.invalid', 'broker.invalid:8883'],
    ['tls://broker.invalid', 'broker.invalid:8883'],
    ['ws://broker.invalid/mqtt', 'broker.invalid:80'],
    ['wss://broker.invalid/mqtt', 'broker.invalid:443'],
  ]
  for (const [url, target] of cases) {
    t.match(await checkBroker(url), { state: 'failed', fix: `${target},` }, url)
  }
})

t.test('a person reads one line a check, and the fix right below what is wrong', async (t) => {
  t.equal(
    formatChecks([
      { name: 'node', state: 'ok', found: 'Node.js 22' },
      { name: 'disk', state: 'warning', found: 'slow', fix: 'a faster one' },
      { name: 'camera', state: 'failed', found: 'lost', fix: 'its cable' },
    ]),
    'ok      node: Node.js 22\n' +
      'warning disk: slow\n          fix: a faster one\n' +
      'FAILED  camera: lost\n          fix: its cable\n',
  )
})

t.test('a repository taught for another rate than the recipe promises is found', (t) => {
  const part = { id: 'good-1', sha256: '0'.repeat(64), origin: 'taught' as const }
  const manifest = { product: 'nut', falseRejectRate: 0.05, taught: [part, part] }
  const check = (promisedRate: number) => checkPromise({ id: 'a'.repeat(64), manifest, promisedRate })
  t.match(check(0.05), {
    name: 'repository of nut',
    state: 'ok',
    found: /aaaaaaaaaaaa, taught from 2 parts.* 0\.05/,
  })
  t.match(check(0.001), { state: 'warning', fix: /0\.001: teach it again, radar-edge teach --product nut/ })
  t.end()
})
