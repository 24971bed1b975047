/** `radar-edge replay`: recorded parts through the whole station, compared with the truth that their folders tell. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Split } from '../../drivers/dataset.ts'
import { replayStation } from '../../drivers/replay.ts'
import { readConfig } from '../config.ts'
import type { Config } from '../config-schema.ts'
import { runDaemon, type Running } from '../daemon.ts'
import { openLog } from '../log.ts'
import { openScoreboard } from '../scoreboard.ts'
import type { TriggerFeed } from '../triggers/feed.ts'

export interface ReplayOptions {
  readonly config: string
  readonly data: string
  readonly split?: Split
  readonly parts?: number
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function replay(options: ReplayOptions): Promise<void> {
  const config = await readConfig(options.config)
  const root = resolve(options.data)
  const { split } = options
  const items = (await replayStation({ root, ...(split && { splits: [split] }) }).parts()).slice(
    0,
    options.parts,
  )
  const board = openScoreboard(options)
  let running: Running | undefined
  const feed: TriggerFeed = async (ask, signal) => {
    for (const { partId } of items) {
      if (signal.aborted) return
      const askedAtMs = performance.now()
      const { triggerId, verdict } = ask({ source: 'bench', partId })
      board.asked(triggerId, askedAtMs)
      await verdict
    }
  }
  // Not the station's own outbox and broker: a replay must neither use up its numbers nor talk to its subscribers.
  const scratch = await mkdtemp(join(tmpdir(), 'radar-edge-replay-'))
  try {
    await runDaemon({
      config: replayed(config, { root, split }),
      outboxFile: join(scratch, 'outbox.sqlite'),
      log: openLog({ level: config.log.level === 'info' ? 'warn' : config.log.level }),
      signal: options.signal,
      feeds: [feed],
      onReady: (about) => (running = about),
      onVerdict: (verdict, about) => board.judged(verdict, { ...about, running }),
      onPublished: (seq) => board.published(seq),
    })
    await board.finish()
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function replayed(config: Config, { root, split }: { root: string; split: Split | undefined }): Config {
  const { rgb, xyz } = config.sensors
  return {
    ...config,
    replay: { root, loop: false, ...(split && { split }) },
    sensors: {
      ...(rgb && { rgb: { ...rgb, kind: 'replay', faults: [] } }),
      ...(xyz && { xyz: { ...xyz, kind: 'replay', faults: [] } }),
    },
    mqtt: { embeddedPort: 0 },
    http: { ...config.http, enabled: false },
  }
}
