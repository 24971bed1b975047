/**
 * Kills processes that work on a product's repository, at random instants and as often as asked, tears what was not acknowledged as a power
 * cut would, and looks each time whether everything that was acknowledged is there. One writer is killed and looked after while the next
 * one starts. Runs in a test, and by itself on a small disk.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, statfsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile, appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ENGINE } from '../../models/engine.ts'
import { PartShelf } from '../../models/part-shelf.ts'
import { seededRandom, type Random } from '../../models/random.ts'
import { loadRepository } from '../../models/repository.ts'
import { openLedger, type LedgerEntry } from '../../runtime/ledger.ts'

export interface KillsRequest {
  /** Of the built package, of test/fixtures/repository-writer.js, and of the bundle that its parts claim to come from. */
  readonly packageRoot: string
  readonly writer: string
  readonly bundleManifest: string
  /** Is there, and empty. */
  readonly folder: string
  /** Where archives from elsewhere are put; not on the small disk. */
  readonly inbox: string
  readonly kills: number
  readonly seed: number
  /** A small one is kept nearly full. */
  readonly disk: 'real' | 'small'
}

export interface KillReport {
  readonly disk: KillsRequest['disk']
  readonly kills: number
  readonly seconds: number
  readonly msPerKill: number
  /** Per step of the work and phase of the step: kills that hit it. `after x`: x was acknowledged, the next had not begun. */
  readonly hits: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** What was acknowledged and looked for after every kill that followed. */
  readonly acknowledged: { readonly entries: number; readonly parts: number; readonly repositories: number }
  /** Promotions, other entries and good parts that were on the disk although the kill came before their acknowledgement. */
  readonly inFlight: { readonly promotions: number; readonly entries: number; readonly parts: number }
  /** Half-written folders that were torn further, folders whose rename was forgotten, journals of garbage. */
  readonly torn: { readonly partials: number; readonly renames: number; readonly journals: number }
  /** How steps ended that came to their end, e.g. `update: promoted`, `teach: ENOSPC`. */
  readonly ends: Readonly<Record<string, number>>
  /** Nothing may be here. */
  readonly problems: readonly string[]
}

const PRODUCT = 'widget'
const CONTEXT = { bundleId: 'bundle-1', engine: ENGINE, product: PRODUCT }
const KEEP = 3
const MOST_PARTS = 5
/** Then a station begins anew: what is looked through after every kill stays small. */
const KILLS_PER_STATION = 40
/** What a writer begins with; goes on with any. */
const STEPS = ['teach', 'update', 'promote', 'rollback', 'import', 'prune'] as const
const MOST_PHASES = 12
const MOST_DELAY_MS = 12
const WRITER_DEADLINE_MS = 30_000
const MOST_PROBLEMS = 20

/** Refusals that the work foresees; everything else is a problem. */
const FORESEEN: Readonly<Record<string, readonly string[]>> = {
  // An archive that was tampered with.
  import: ['HASH_WRONG'],
  rollback: ['REPOSITORY_UNKNOWN', 'LEDGER_CONFLICT'],
  // In the ledger, but killed before its folder was whole.
  promote: ['REPOSITORY_UNREADABLE'],
  // Of the parts that the one rolled back to was made of none are kept any more.
  update: ['REPOSITORY_REFUSED'],
}
const FORESEEN_WHEN_FULL = ['ENOSPC', 'LEDGER_UNWRITABLE']
/** As long as nothing was ever entered: the tables find no room. */
const FORESEEN_WHEN_NEW = ['LEDGER_UNREADABLE']

/** A line of the writer's. */
interface Said {
  readonly step?: string
  readonly phase?: string
  readonly action?: string
  readonly repositoryId?: string
  readonly partId?: string
  readonly entry?: SaidEntry
  readonly kept?: string
  readonly victims?: readonly string[]
  readonly saved?: string
  readonly pruned?: readonly string[]
  readonly unknown?: readonly string[]
  readonly done?: string
  readonly result?: string
  readonly failed?: string
  readonly detail?: string
}

interface SaidEntry {
  readonly seq: number
  readonly action: string
  readonly repositoryId: string | null
  readonly who: string
}

export async function killRepositoryWriters(request: KillsRequest): Promise<KillReport> {
  const campaign = new Campaign(request)
  await campaign.run()
  return campaign.report()
}

class Campaign {
  readonly #request: KillsRequest
  readonly #random: Random
  readonly #hits = new Map<string, Map<string, number>>()
  readonly #ends = new Map<string, number>()
  readonly #problems: string[] = []
  readonly #acknowledged = { entries: 0, parts: 0, repositories: 0 }
  readonly #inFlight = { promotions: 0, entries: 0, parts: 0 }
  readonly #torn = { partials: 0, renames: 0, journals: 0 }
  #seconds = 0
  #kills = 0
  #run = 0

  constructor(request: KillsRequest) {
    this.#request = request
    this.#random = seededRandom(request.seed)
  }

  report(): KillReport {
    const { disk } = this.#request
    const hits = Object.fromEntries(
      [...this.#hits].map(([step, phases]) => [step, Object.fromEntries(phases)]),
    )
    return {
      disk,
      kills: this.#kills,
      seconds: Math.round(this.#seconds * 10) / 10,
      msPerKill: Math.round((1000 * this.#seconds) / this.#kills),
      hits,
      acknowledged: this.#acknowledged,
      inFlight: this.#inFlight,
      torn: this.#torn,
      ends: Object.fromEntries([...this.#ends].sort()),
      problems: this.#problems,
    }
  }

  async run(): Promise<void> {
    const { kills, inbox, folder } = this.#request
    await mkdir(inbox, { recursive: true })
    const postman = this.#start('inbox', folder)
    if ((await postman.said()).at(-1)?.done !== 'inbox') throw new Error('no archives were written to import')
    const startedAt = performance.now()
    let next = this.#start('random', join(folder, 'station-0'))
    for (let station = 0; this.#kills < kills && this.#problems.length < MOST_PROBLEMS; station++) {
      const home = join(folder, `station-${station}`)
      await mkdir(home)
      const state = new StationState(home)
      const last = Math.min(kills, this.#kills + KILLS_PER_STATION)
      while (this.#kills < last) {
        const writer = next
        const isLast = this.#kills + 1 === last
        await this.#fill(home)
        writer.go()
        next = this.#start(isLast ? 'once' : 'random', home)
        const said = await this.#killSomewhere(writer)
        this.#kills += 1
        await this.#after(state, writer.name, said)
      }
      // Whatever the kills left behind: with room on the disk every step works again.
      await rm(join(home, 'fill'), { force: true })
      const survivor = next
      survivor.go()
      next = this.#start('random', join(folder, `station-${station + 1}`))
      await this.#lookAfterSurvivor(state, survivor.name, await survivor.said())
      await rm(home, { recursive: true })
    }
    next.kill()
    await next.said()
    this.#seconds = (performance.now() - startedAt) / 1000
  }

  #start(mode: 'inbox' | 'random' | 'once', folder: string): Writer {
    const { packageRoot, writer, bundleManifest, inbox, seed } = this.#request
    const run = this.#run++
    return new Writer(writer, {
      package: packageRoot,
      bundleManifest,
      folder,
      inbox,
      mode,
      run,
      seed: seed * 100_000 + run,
      first: STEPS[Math.floor(this.#random() * STEPS.length)],
      keep: KEEP,
      mostParts: MOST_PARTS,
    })
  }

  /** At the beginning of some phase or a little later, so that short phases are hit as often as long ones; sooner rather than later. */
  async #killSomewhere(writer: Writer): Promise<Said[]> {
    const first = this.#random() < 0.05 ? 1 : 2
    let phases = first + Math.floor(this.#random() ** 2 * MOST_PHASES)
    const delayMs = this.#random() < 0.3 ? 0 : this.#random() * MOST_DELAY_MS
    const timer = setTimeout(() => {
      this.#problem(
        `${writer.name}: was not through with ${MOST_PHASES} phases after ${WRITER_DEADLINE_MS} ms`,
      )
      writer.kill()
    }, WRITER_DEADLINE_MS)
    const said = await writer.said((line) => {
      if (line.phase === undefined || --phases !== 0) return
      if (delayMs === 0) writer.kill()
      else setTimeout(() => writer.kill(), delayMs)
    })
    clearTimeout(timer)
    if (!writer.wasKilled) this.#problem(`${writer.name} ended by itself`)
    return said
  }

  async #after(state: StationState, who: string, said: readonly Said[]): Promise<void> {
    this.#count(said, state)
    const pending = pendingOf(said)
    await this.#tear(state, pending)
    this.#look(who, await state.look({ who, pending }))
  }

  async #lookAfterSurvivor(state: StationState, who: string, said: readonly Said[]): Promise<void> {
    for (const line of said) {
      this.#countEnd(line, FORESEEN[line.done ?? ''] ?? [])
      state.apply(line)
      if (line.unknown !== undefined && line.unknown.length > 0) {
        this.#problem(
          `${who}: pruning does not know ${line.unknown.length} folders: ${line.unknown.join(', ')}`,
        )
      }
    }
    const steps = said.filter(({ done }) => done !== undefined).length
    if (steps !== 6) this.#problem(`${who}: after the kills ${steps} steps came to their end, expected 6`)
    this.#look(who, await state.look({ who, pending: undefined }))
    const folders = (await readdir(join(state.root, PRODUCT))).length
    if (folders > 2 * KEEP)
      this.#problem(`${who}: ${folders} folders are left after pruning, expected ${2 * KEEP} at most`)
  }

  #look(who: string, found: Looked): void {
    for (const problem of found.problems) this.#problem(`${who}: ${problem}`)
    this.#inFlight.promotions += found.inFlight.promotions
    this.#inFlight.entries += found.inFlight.entries
    this.#inFlight.parts += found.inFlight.parts
  }

  #problem(problem: string): void {
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(problem)
  }

  #count(said: readonly Said[], state: StationState): void {
    for (const line of said) {
      this.#countEnd(line, [
        ...(FORESEEN[line.done ?? ''] ?? []),
        ...(this.#request.disk === 'small' ? FORESEEN_WHEN_FULL : []),
        ...(this.#request.disk === 'small' && state.isNew ? FORESEEN_WHEN_NEW : []),
      ])
      state.apply(line)
      if (line.entry !== undefined) this.#acknowledged.entries += 1
      if (line.kept !== undefined) this.#acknowledged.parts += 1
      if (line.saved !== undefined) this.#acknowledged.repositories += 1
    }
    const [step, phase] = hitOf(said)
    const phases = this.#hits.get(step) ?? new Map<string, number>()
    this.#hits.set(step, phases.set(phase, (phases.get(phase) ?? 0) + 1))
  }

  #countEnd({ done, result, failed, detail }: Said, foreseen: readonly string[]): void {
    if (done === undefined) return
    const end = `${done}: ${failed ?? result}`
    this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1)
    if (failed !== undefined && !foreseen.includes(failed)) this.#problem(`${end}: ${detail}`)
  }

  /** Only what nobody was told is done: a power cut takes no more than a kill and what was not flushed. */
  async #tear(state: StationState, pending: Said | undefined): Promise<void> {
    for (const shelf of [join(state.root, PRODUCT), state.goodFolder]) {
      for (const name of await namesIn(shelf)) {
        if (!/\.(partial|removed)$/.test(name)) continue
        this.#torn.partials += 1
        for (const file of await namesIn(join(shelf, name))) await this.#tearFile(join(shelf, name, file))
      }
    }
    const unsure = pending?.phase === 'saving' ? pending.repositoryId : undefined
    if (unsure !== undefined && !state.isSaved(unsure) && this.#random() < 0.5) {
      const folder = join(state.root, PRODUCT, unsure)
      // The folder that holds the name was not flushed: the disk may have forgotten the rename.
      if (existsSync(folder) && !existsSync(`${folder}.partial`)) {
        await rename(folder, `${folder}.partial`)
        this.#torn.renames += 1
      }
    }
    const journal = join(state.root, 'ledger.sqlite-journal')
    if (this.#random() < 0.5 && existsSync(join(state.root, 'ledger.sqlite'))) {
      const garbage = Buffer.alloc(Math.floor(this.#random() * 5000), 0xa5)
      this.#torn.journals += 1
      // Behind a journal that an unfinished entry left, or in place of none.
      await unlessFull(appendFile(journal, garbage))
    }
  }

  async #tearFile(file: string): Promise<void> {
    const kind = this.#random()
    if (kind < 0.2) await rm(file)
    else if (kind < 0.6) await truncate(file, Math.floor(this.#random() * (await readFile(file)).length))
    else if (kind < 0.8) await unlessFull(writeFile(file, (await readFile(file)).fill(0xa5)))
  }

  /** Leaves a small disk with little room, or none, or enough. */
  async #fill(home: string): Promise<void> {
    if (this.#request.disk === 'real') return
    const file = join(home, 'fill')
    await rm(file, { force: true })
    const { bavail, bsize } = statfsSync(home)
    const left = [0, 40_000, 200_000, Infinity][Math.floor(this.#random() * 4)]! * this.#random()
    await writeFile(file, Buffer.alloc(Math.max(0, Math.floor(bavail * bsize - (left || 0)))))
  }
}

class Writer {
  readonly name: string
  wasKilled = false
  readonly #child: ChildProcess

  constructor(file: string, asked: { readonly seed: number } & Record<string, unknown>) {
    this.name = `run ${asked.seed}`
    this.#child = spawn(process.execPath, [file, JSON.stringify(asked)], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdin!.on('error', () => undefined)
  }

  go(): void {
    this.#child.stdin!.write('\n')
  }

  kill(): void {
    this.wasKilled = true
    this.#child.kill('SIGKILL')
  }

  /** Everything until its end. */
  async said(onLine: (line: Said) => void = () => undefined): Promise<Said[]> {
    const said: Said[] = []
    for await (const text of createInterface({ input: this.#child.stdout! })) {
      const line = JSON.parse(text) as Said
      said.push(line)
      onLine(line)
    }
    return said
  }
}

interface Looked {
  readonly problems: readonly string[]
  readonly inFlight: { readonly promotions: number; readonly entries: number; readonly parts: number }
}

/** What a station has been told is done, and what is found of it on the disk. */
class StationState {
  readonly root: string
  readonly goodFolder: string
  #entries: SaidEntry[] = []
  #parts: string[] = []
  readonly #saved = new Set<string>()

  constructor(home: string) {
    this.root = join(home, 'repositories')
    this.goodFolder = join(home, 'good')
  }

  apply(line: Said): void {
    if (line.entry !== undefined) this.#entries.push(line.entry)
    if (line.kept !== undefined) {
      this.#parts = [...this.#parts, line.kept].filter((id) => !line.victims?.includes(id))
    }
    if (line.saved !== undefined) this.#saved.add(line.saved)
    if (line.entry !== undefined) this.#applyUse(line.entry)
    for (const id of line.pruned ?? []) this.#saved.delete(id)
  }

  /** What is put into use was flushed before, also where whoever saved it was killed before saying so. */
  #applyUse({ action, repositoryId }: SaidEntry): void {
    if (isUse(action) && repositoryId !== null) this.#saved.add(repositoryId)
  }

  get isNew(): boolean {
    return this.#entries.length === 0
  }

  isSaved(repositoryId: string): boolean {
    return this.#saved.has(repositoryId)
  }

  async look(about: { readonly who: string; readonly pending: Said | undefined }): Promise<Looked> {
    const problems: string[] = []
    const ledger = openLedger(this.root)
    try {
      const extra = this.#lookAtEntries(ledger.history({ limit: 100_000 }).reverse(), about, problems)
      const uses = this.#entries.filter(({ action }) => isUse(action))
      const expected = uses.at(-1)?.repositoryId ?? undefined
      const active = ledger.active(PRODUCT)
      if (active !== expected) problems.push(`${active} is in use, expected ${expected}`)
      const protectedIds = new Set([
        ...ledger.promoted(PRODUCT).slice(0, KEEP),
        ...ledger.candidates(PRODUCT).slice(0, KEEP),
      ])
      await this.#lookAtRepositories({ active, protectedIds, pending: about.pending }, problems)
      const parts = await this.#lookAtParts(about.pending, problems)
      const promotions = extra.filter(({ action }) => isUse(action)).length
      return { problems, inFlight: { promotions, entries: extra.length - promotions, parts } }
    } catch (error) {
      problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      return { problems, inFlight: { promotions: 0, entries: 0, parts: 0 } }
    } finally {
      ledger.close()
    }
  }

  /** @returns entries that were made although their acknowledgement never came: the one in flight at most. */
  #lookAtEntries(
    found: readonly LedgerEntry[],
    { who, pending }: { readonly who: string; readonly pending: Said | undefined },
    problems: string[],
  ): SaidEntry[] {
    const entries = found.map(({ seq, action, repositoryId, who: by }) => ({
      seq,
      action,
      repositoryId: repositoryId ?? null,
      who: by,
    }))
    for (const [index, entry] of this.#entries.entries()) {
      const there = entries[index]
      if (JSON.stringify(there) === JSON.stringify(entry)) continue
      problems.push(
        `entry ${JSON.stringify(entry)} was acknowledged, the ledger has ${JSON.stringify(there)}`,
      )
      break
    }
    const extra = entries.slice(this.#entries.length)
    const [first] = extra
    const isPending =
      first?.who === who &&
      first.action === pending?.action &&
      (pending.repositoryId === undefined || pending.repositoryId === first.repositoryId)
    if (extra.length > 1 || (extra.length === 1 && !isPending)) {
      problems.push(`nobody was making ${JSON.stringify(extra)}, but ${JSON.stringify(pending)}`)
    }
    this.#entries = entries
    for (const entry of extra) this.#applyUse(entry)
    return extra
  }

  async #lookAtRepositories(
    {
      active,
      protectedIds,
      pending,
    }: {
      readonly active: string | undefined
      readonly protectedIds: ReadonlySet<string>
      readonly pending: Said | undefined
    },
    problems: string[],
  ): Promise<void> {
    const folder = join(this.root, PRODUCT)
    const there = new Set((await namesIn(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)))
    for (const id of there) {
      // Whatever has its own name is whole: every byte is checked against the hashes.
      const found = await loadRepository(join(folder, id), CONTEXT).catch((error: Error) => error)
      if (found instanceof Error) problems.push(`repository ${id}: ${found.message}`)
      else if (found.id !== id) problems.push(`${id} holds repository ${found.id}`)
    }
    if (active !== undefined && !there.has(active)) problems.push(`${active} is in use and not there`)
    for (const id of this.#saved) {
      if (there.has(id)) continue
      if (pending?.phase === 'pruning' && !protectedIds.has(id)) this.#saved.delete(id)
      else problems.push(`repository ${id} was saved and is gone`)
    }
  }

  /** @returns parts that are there although their acknowledgement never came. */
  async #lookAtParts(pending: Said | undefined, problems: string[]): Promise<number> {
    const shelf = new PartShelf({
      folder: this.goodFolder,
      mostParts: MOST_PARTS,
      mostBytes: 2 ** 30,
      whenFull: 'drop-oldest',
    })
    const { parts, damaged } = await shelf.list()
    for (const { partId, detail } of damaged) problems.push(`good part ${partId} is damaged: ${detail}`)
    for (const { partId } of parts) await shelf.load(partId, 'all')
    const there = parts.map(({ partId }) => partId)
    const coming = pending?.phase === 'keeping' ? pending.partId : undefined
    const isComing = coming !== undefined && there.includes(coming)
    // The oldest make room for one that is there already: more than one where a kill came before the victim of a former one went.
    const victims = isComing ? this.#parts.length + 1 - MOST_PARTS : 0
    for (const [index, partId] of this.#parts.entries()) {
      const isVictim = index < victims
      if (!there.includes(partId) && !isVictim) problems.push(`good part ${partId} was kept and is gone`)
    }
    const extra = there.filter((partId) => !this.#parts.includes(partId))
    const strangers = extra.filter((partId) => partId !== coming)
    if (strangers.length > 0) problems.push(`nobody was keeping good parts ${strangers.join(', ')}`)
    this.#parts = there
    return extra.length
  }
}

/** What the writer was doing when it was killed; undefined when it was done with it. */
function pendingOf(said: readonly Said[]): Said | undefined {
  const last = said.at(-1)
  return last?.phase === undefined ? undefined : last
}

function hitOf(said: readonly Said[]): [step: string, phase: string] {
  const last = said.at(-1)
  const phase = said.findLast((line) => line.phase !== undefined)
  if (last === undefined || phase === undefined) return ['start', 'starting']
  if (last.done !== undefined) return [last.done, 'done']
  return [phase.step ?? '', last === phase ? phase.phase! : `after ${phase.phase}`]
}

const isUse = (action: string): boolean => action === 'promote' || action === 'rollback'

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

/** On a full disk there is no room for garbage either. */
async function unlessFull(work: Promise<void>): Promise<void> {
  await work.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error
  })
}
