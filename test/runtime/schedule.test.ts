import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { FileSystem } from '../../models/durable-folder.ts'
import type { StationEvent } from '../../runtime/event.ts'
import { Schedule, type Job } from '../../runtime/schedule.ts'
import { quiet, virtualClock } from '../support/virtual-clock.ts'

process.env.TZ = 'UTC'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Writes at once, so that no test waits for the disk; `isFull` fails every write. */
function promptFiles() {
  const disk = { isFull: false }
  const fileSystem = {
    open: async (file: string) => ({
      async writeFile(bytes: Uint8Array) {
        if (disk.isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        writeFileSync(file, bytes)
      },
      async sync() {},
      async close() {},
    }),
    rename: async (from: string, to: string) => renameSync(from, to),
  }
  // Only what replaceFile calls; the folder is flushed by opening it, too.
  return { disk, fileSystem: fileSystem as unknown as FileSystem }
}

/** A station whose clocks are driven by hand; `restart` is a new daemon on the same disk. */
function stationOf(t: Test, startAt = '2026-11-28T12:00:00Z') {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'state'))
  const file = join(folder, 'state', 'schedule.json')
  const { disk, fileSystem } = promptFiles()
  const clock = virtualClock()
  /** What the wall clock says when the monotonic one says 0. */
  let offsetMs = Date.parse(startAt) - clock.now()
  const events: StationEvent[] = []
  /** `name at time` for every start. */
  const starts: string[] = []
  const now = () => offsetMs + clock.now()
  const job = (name: string, cron: string, work: Job['run'] = async () => {}): Job => ({
    name,
    cron,
    deadlineMs: HOUR,
    run(signal) {
      starts.push(`${name} ${new Date(now()).toISOString().slice(0, 16)}`)
      return work(signal)
    },
  })
  return {
    clock,
    disk,
    events,
    file,
    job,
    starts,
    setWallClock: (text: string) => (offsetMs = Date.parse(text) - clock.now()),
    start: async (...jobs: Job[]) => {
      const schedule = new Schedule({
        jobs,
        file,
        clock,
        wallClock: now,
        fileSystem,
        log: { info() {}, warn() {} },
        tell: (event) => void events.push(event),
      })
      await schedule.open()
      await quiet()
      return schedule
    },
    records: () => (JSON.parse(readFileSync(file, 'utf8')) as { jobs: Record<string, object> }).jobs,
  }
}

t.test('jobs run at their times, and none before', async (t) => {
  const { clock, job, start, starts } = stationOf(t)
  const schedule = await start(
    job('backup', '0 2 * * *'),
    job('selfTest', '0 6,14,22 * * *'),
    job('off', 'off'),
  )
  t.same(starts, [])
  await clock.advance(DAY)
  t.same(starts, [
    'selfTest 2026-11-28T14:00',
    'selfTest 2026-11-28T22:00',
    'backup 2026-11-29T02:00',
    'selfTest 2026-11-29T06:00',
  ])
  t.match(schedule.states(), [
    {
      name: 'backup',
      cron: '0 2 * * *',
      isRunning: false,
      attempted: /^2026-11-29T02:00/,
      succeeded: /^2026-11-29T02:00/,
      next: '2026-11-30T02:00:00.000Z',
    },
    { name: 'selfTest', next: '2026-11-29T14:00:00.000Z' },
    { name: 'off', cron: 'off', isRunning: false },
  ])
  t.notOk('next' in schedule.states()[2]!)
  await schedule.close()
  t.equal(clock.pending(), 0)
})

t.test('what was missed while the daemon was down is made up for once', async (t) => {
  const { clock, job, start, starts } = stationOf(t)
  const jobs = () => [job('drift', '*/10 * * * *'), job('backup', '0 2 * * *'), job('yearly', '0 0 1 1 *')]
  await (await start(...jobs())).close()
  await clock.advance(5 * DAY + MINUTE)
  const schedule = await start(...jobs())
  await quiet()
  t.same(starts, ['drift 2026-12-03T12:01', 'backup 2026-12-03T12:01'])
  await clock.advance(20 * MINUTE)
  t.same(starts.slice(2), ['drift 2026-12-03T12:10', 'drift 2026-12-03T12:20'], 'and then as always')
  await schedule.close()
  await (await start(...jobs())).close()
  t.equal(starts.length, 4, 'nothing was missed')
})

t.test('a station that is off every night still makes its back-up', async (t) => {
  const { clock, job, start, starts } = stationOf(t, '2026-11-28T08:00:00Z')
  for (let day = 0; day < 3; day++) {
    const schedule = await start(job('backup', '0 2 * * *'))
    await clock.advance(8 * HOUR)
    await schedule.close()
    await clock.advance(16 * HOUR)
  }
  t.same(starts, ['backup 2026-11-29T08:00', 'backup 2026-11-30T08:00'])
})

t.test('a job that fails is an event and has its next time; the others have theirs', async (t) => {
  const { clock, events, job, start, starts, records } = stationOf(t)
  const broken = job('archive', '0 * * * *', async () => {
    throw Object.assign(new Error('the disk is gone'), { code: 'EIO' })
  })
  const thrower = job('drift', '30 * * * *', () => {
    throw 'not even an error'
  })
  const schedule = await start(broken, thrower, job('backup', '15 * * * *'))
  await clock.advance(2 * HOUR)
  t.same(
    starts.map((start) => start.split(' ')[0]),
    ['backup', 'drift', 'archive', 'backup', 'drift', 'archive'],
  )
  t.match(events, [
    { kind: 'job-failed', job: 'drift', code: 'JOB_FAILED', detail: 'drift: not even an error' },
    { kind: 'job-failed', job: 'archive', code: 'EIO', detail: 'archive: the disk is gone' },
    { job: 'drift' },
    { job: 'archive' },
  ])
  t.notOk('succeeded' in records()['archive']!)
  t.ok('succeeded' in records()['backup']!)
  await schedule.close()
})

t.test('one job runs at a time, and none beside itself', async (t) => {
  const { clock, job, start, starts } = stationOf(t)
  let running = 0
  let most = 0
  const long = (minutes: number) => async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => clock.after(minutes * MINUTE, resolve))
    running--
  }
  const schedule = await start(job('drift', '*/10 * * * *', long(25)), job('backup', '20 * * * *', long(1)))
  await clock.advance(HOUR)
  t.equal(most, 1)
  t.same(starts, ['drift 2026-11-28T12:10', 'backup 2026-11-28T12:35', 'drift 2026-11-28T12:40'])
  await clock.settle(schedule.close())
})

t.test('a job that takes too long is told to stop and has failed', async (t) => {
  const { clock, events, job, start } = stationOf(t)
  let reason: unknown
  const slow: Job = {
    ...job('compaction', '0 * * * *', (signal) => {
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
          reject(signal.reason)
        })
      })
    }),
    deadlineMs: 1000,
  }
  const schedule = await start(slow)
  await clock.advance(2 * HOUR + MINUTE)
  t.match(reason, { code: 'JOB_DEADLINE' })
  t.match(events, [{ job: 'compaction', code: 'JOB_DEADLINE' }, { code: 'JOB_DEADLINE' }])
  await schedule.close()
})

t.test(
  'one that does not even stop then is not started beside itself, and does not keep others',
  async (t) => {
    const { clock, events, job, start, starts } = stationOf(t)
    let end = () => {}
    const deaf: Job = {
      ...job('compaction', '0 * * * *', () => new Promise<void>((resolve) => (end = resolve))),
      deadlineMs: 1000,
    }
    const schedule = await start(deaf, job('drift', '30 * * * *'))
    await clock.advance(3 * HOUR)
    const count = (name: string) => starts.filter((start) => start.startsWith(name)).length
    t.same([count('compaction'), count('drift')], [1, 3])
    t.equal(events.length, 1)
    t.match(schedule.states(), [{ isRunning: true }, { isRunning: false }])
    end()
    await clock.advance(HOUR)
    t.equal(count('compaction'), 2)
    end()
    await schedule.close()
  },
)

t.test(
  'an attempt counts before the job begins: one that takes the daemon down does not do so again',
  async (t) => {
    const { clock, job, start, starts, records } = stationOf(t)
    await (await start(job('compaction', '0 3 * * *'))).close()
    await clock.advance(DAY)
    let seen: object = {}
    const fatal = job('compaction', '0 3 * * *', async () => {
      seen = records()['compaction']!
      await new Promise(() => {})
    })
    // Killed: nobody closes it.
    await start(fatal)
    t.match(seen, { attempted: '2026-11-29T12:00:00.000Z' })
    await start(job('compaction', '0 3 * * *'))
    await clock.advance(HOUR)
    t.equal(starts.length, 1)
  },
)

t.test('a damaged record counts as never run, and is said', async (t) => {
  for (const damaged of [
    '',
    '{"schema":"radar-edge/sched',
    '{"schema":"other","jobs":{}}',
    '{"jobs":7}',
    '\0\0',
  ]) {
    const { clock, events, file, job, start, starts } = stationOf(t)
    writeFileSync(file, damaged)
    const schedule = await start(job('backup', '0 2 * * *'))
    t.match(events, [{ kind: 'alarm', code: 'SCHEDULE_UNREADABLE' }], JSON.stringify(damaged))
    t.same(starts, [])
    await clock.advance(DAY)
    t.same(starts, ['backup 2026-11-29T02:00'])
    await schedule.close()
    await (await start(job('backup', '0 2 * * *'))).close()
    t.equal(events.length, 1, 'it is whole again')
  }
})

t.test('a full disk keeps no job from running, and is said once', async (t) => {
  const { clock, disk, events, job, start, starts, records } = stationOf(t)
  const schedule = await start(job('archive', '30 * * * *'))
  disk.isFull = true
  await clock.advance(3 * HOUR)
  t.equal(starts.length, 3)
  t.match(events, [{ kind: 'alarm', code: 'SCHEDULE_UNWRITABLE', detail: /no space left/ }])
  t.equal(events.length, 1)
  disk.isFull = false
  await clock.advance(HOUR)
  t.match(records()['archive'], { succeeded: /^2026-11-28T15:30/ })
  await schedule.close()
})

t.test('a job that was off for a month is not made up for', async (t) => {
  const { clock, job, start, starts } = stationOf(t)
  const schedule = await start(job('update', '0 5 * * *'))
  await clock.advance(DAY)
  await schedule.close()
  await (await start(job('update', 'off'))).close()
  await clock.advance(30 * DAY)
  await (await start(job('update', '0 5 * * *'))).close()
  t.same(starts, ['update 2026-11-29T05:00'])
})

t.test('a wall clock that is set back a little repeats nothing', async (t) => {
  const { clock, job, setWallClock, start, starts } = stationOf(t, '2026-11-28T01:00:00Z')
  const schedule = await start(job('backup', '0 2 * * *'))
  await clock.advance(HOUR + MINUTE)
  setWallClock('2026-11-28T01:30:00Z')
  await clock.advance(DAY)
  t.same(starts, ['backup 2026-11-28T02:00'])
  await clock.advance(HOUR)
  t.same(starts, ['backup 2026-11-28T02:00', 'backup 2026-11-29T02:00'])
  await schedule.close()
})

t.test('a wall clock that is set back by years goes on from there', async (t) => {
  const { clock, job, setWallClock, start, starts } = stationOf(t)
  const schedule = await start(job('drift', '*/10 * * * *'), job('backup', '0 2 * * *'))
  await clock.advance(15 * MINUTE)
  setWallClock('1970-01-01T00:01:00Z')
  await clock.advance(10 * MINUTE)
  t.same(starts, ['drift 2026-11-28T12:10', 'drift 1970-01-01T00:10'])
  await clock.advance(2 * HOUR)
  t.equal(starts.filter((start) => start.startsWith('backup')).length, 1, 'at two in 1970')
  await schedule.close()
})

t.test('a station that starts in 1970 and then learns the time runs what it missed once', async (t) => {
  const { clock, events, job, setWallClock, start, starts } = stationOf(t, '1970-01-01T00:00:30Z')
  const schedule = await start(job('drift', '*/10 * * * *'), job('backup', '0 2 * * *'))
  await clock.advance(MINUTE)
  setWallClock('2026-11-28T12:03:00Z')
  const startedMs = performance.now()
  await clock.advance(5 * MINUTE)
  t.ok(performance.now() - startedMs < 5000, '56 years of ten minutes are not counted')
  t.same(starts, ['drift 2026-11-28T12:03', 'backup 2026-11-28T12:03'])
  await clock.advance(10 * MINUTE)
  t.equal(starts.at(-1), 'drift 2026-11-28T12:10')
  await schedule.close()

  // The record is from after the clock of this start.
  setWallClock('1970-01-01T00:00:30Z')
  const again = await start(job('drift', '*/10 * * * *'), job('backup', '0 2 * * *'))
  await clock.advance(MINUTE)
  t.equal(starts.length, 3, 'nothing is due')
  await clock.advance(10 * MINUTE)
  t.equal(starts.at(-1), 'drift 1970-01-01T00:10')
  await again.close()
  t.same(events, [])
})

t.test('a clock that cannot decide causes no storm', async (t) => {
  const { clock, job, setWallClock, start, starts } = stationOf(t)
  const schedule = await start(
    job('drift', '*/10 * * * *'),
    job('backup', '0 2 * * *'),
    job('archive', '30 * * * *'),
  )
  const times = [
    '1970-01-01T00:09:50Z',
    '2026-11-28T12:29:55Z',
    '2031-01-01T01:59:50Z',
    '2026-11-28T02:00:00Z',
  ]
  for (let minute = 0; minute < 600; minute++) {
    setWallClock(times[minute % times.length]!)
    await clock.advance(MINUTE)
  }
  const count = (name: string) => starts.filter((start) => start.startsWith(name)).length
  t.comment(`${count('drift')} ${count('archive')} ${count('backup')}`)
  t.ok(count('drift') <= 120, `drift: ${count('drift')} in ten hours`)
  t.ok(count('archive') <= 20, `archive: ${count('archive')}`)
  t.ok(count('backup') <= 2, `backup: ${count('backup')}`)
  await schedule.close()
})

t.test('closing tells the job that runs to stop, waits for it and starts no other', async (t) => {
  const { clock, events, job, start, starts } = stationOf(t)
  let ended = false
  const polite = job('backup', '5 12 * * *', async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await quiet()
    ended = true
    throw signal.reason
  })
  const schedule = await start(polite, job('drift', '6 12 * * *'))
  await clock.advance(10 * MINUTE)
  await schedule.close()
  await schedule.close()
  t.ok(ended)
  t.same(events, [], 'that is no failure')
  await clock.advance(DAY)
  t.same(starts, ['backup 2026-11-28T12:05'])
  t.equal(clock.pending(), 0)
})

t.test('a job that hears nothing does not keep the daemon from closing', async (t) => {
  const { clock, job, start } = stationOf(t)
  const schedule = await start(job('backup', '5 12 * * *', () => new Promise(() => {})))
  await clock.advance(10 * MINUTE)
  await clock.settle(schedule.close())
  t.equal(clock.pending(), 0)
})
