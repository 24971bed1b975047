import t from 'tap'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['drivers', 'calibration', 'models', 'runtime'] as const

interface Source {
  readonly path: string
  readonly text: string
  /** Relative imports, as paths from the root. */
  readonly imports: readonly string[]
  readonly packages: readonly string[]
}

async function readSources(): Promise<Source[]> {
  const sources: Source[] = []
  for (const folder of FOLDERS) {
    for (const entry of await readdir(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const path = relative(root, join(entry.parentPath, entry.name))
      if (path.startsWith('models/training/')) continue
      const text = await readFile(join(root, path), 'utf8')
      const statements =
        /^(?:import|export)\b[^'";]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm
      const specifiers = [...text.matchAll(statements)].map((match) => match.slice(1).find(Boolean) ?? '')
      sources.push({
        path,
        text,
        imports: specifiers
          .filter((name) => name.startsWith('.'))
          .map((name) => normalize(join(dirname(path), name))),
        packages: specifiers.filter((name) => !name.startsWith('.')),
      })
    }
  }
  return sources
}

const sources = await readSources()

t.test('data flows right: a folder imports only itself and the folders on its left', async (t) => {
  for (const source of sources) {
    const rank = FOLDERS.findIndex((folder) => source.path.startsWith(`${folder}/`))
    for (const imported of source.imports) {
      const importedRank = FOLDERS.findIndex((folder) => imported.startsWith(`${folder}/`))
      t.ok(importedRank >= 0 && importedRank <= rank, `${source.path} -> ${imported}`)
    }
  }
})

t.test('no module imports itself through others', async (t) => {
  // Types vanish when the code runs, so only imports of values can close a cycle.
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const valueImports = (source: Source): string[] =>
    [...source.text.matchAll(/^import (?!type\b)[^;]*?from '(\.[^']+)'/gm)].map((match) =>
      normalize(join(dirname(source.path), match[1] ?? '')),
    )
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      t.fail(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`)
      return
    }
    const source = byPath.get(path)
    if (done.has(path) || source === undefined) return
    for (const next of valueImports(source)) visit(next, [...trail, path])
    done.add(path)
  }
  for (const source of sources) visit(source.path, [])
  t.equal(done.size, sources.length, 'every module was visited')
})

/** What a bench measures ours against uses a package as anybody would. */
const PEERS = ['drivers/bench/bare-loop.ts']

t.test('third-party runtimes have one door each', async (t) => {
  const doors: Record<string, string> = {
    'onnxruntime-node': 'models/session.ts',
    mqtt: 'runtime/publisher.ts',
    aedes: 'runtime/broker.ts',
    libsql: 'runtime/database.ts',
    commander: 'runtime/main.ts',
    pino: 'runtime/log.ts',
    'node-cron': 'runtime/cron.ts',
    'tar-stream': 'models/archive.ts',
    fastify: 'runtime/http.ts',
    serialport: 'drivers/serial-port.ts',
    koffi: 'drivers/aravis-library.ts',
    'modbus-serial': 'drivers/modbus.ts',
  }
  for (const [name, door] of Object.entries(doors)) {
    const importers = sources.filter((source) => source.packages.includes(name)).map((source) => source.path)
    t.same(
      importers.filter((path) => !PEERS.includes(path)),
      [door],
      name,
    )
  }
})

t.test('every dependency is used and every used package is a dependency', async (t) => {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { dependencies: object }
  const used = new Set(
    sources.flatMap((source) => source.packages).filter((name) => !name.startsWith('node:')),
  )
  t.same([...used].sort(), Object.keys(manifest.dependencies).sort())
})

t.test('no module is a drawer', async (t) => {
  const drawer = /(^|\/)(index|utils?|helpers?|common|types|misc|manager|service)\.ts$/
  t.same(
    sources.map((source) => source.path).filter((path) => drawer.test(path)),
    [],
  )
})

t.test(
  'deadlines run on the monotonic clock: the wall clock is read for time stamps and calendars only',
  async (t) => {
    const readers: Record<string, string> = {
      'drivers/bench/genicam-cases.ts': 'a fake camera fires by it',
      'runtime/checks.ts': 'is it set at all?',
      'runtime/commands/golden.ts': 'when a part was captured',
      'runtime/daemon.ts': 'to tell when it was set',
      'runtime/good-parts.ts': 'when a part was captured',
      'runtime/ledger.ts': 'when something was decided',
      'runtime/live-teaching.ts': 'when a part was captured',
      'runtime/messages.ts': 'when a message was made',
      'runtime/part-archive.ts': 'days that rejects are kept',
      'runtime/repository-care.ts': 'times of the schedule',
      'runtime/teaching.ts': 'when a teaching began',
    }
    const found = sources
      .filter(({ text }) => /\bDate\.now\b|new Date\(\)/.test(text))
      .map(({ path }) => path)
    t.same(found.sort(), Object.keys(readers))
  },
)
