/** Logs go to standard error as JSON lines (journald adds time and unit); standard output belongs to results. */
import { pino, type Logger } from 'pino'

export type Log = Logger

export function openLog(options: { level: string }): Log {
  return pino(
    {
      level: options.level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      // An Error has nothing that JSON would show by itself.
      serializers: { error: pino.stdSerializers.err },
    },
    pino.destination({ fd: 2, sync: true }),
  )
}
