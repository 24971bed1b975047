import { readConfig } from '../config.ts'
import { runDaemon } from '../daemon.ts'
import { openLog } from '../log.ts'

/** The station until it is told to stop. */
export async function run(options: { config: string; signal: AbortSignal }): Promise<void> {
  const config = await readConfig(options.config)
  const log = openLog(config.log)
  await runDaemon({
    config,
    log,
    signal: options.signal,
    onReady: ({ brokerUrl, topicRoot }) =>
      log.info({ broker: brokerUrl, topics: `${topicRoot}/#`, product: config.product }, 'ready'),
  })
}
