/**
 * When a job is due: cron expressions, by node-cron's own parser and calendar, in the system's time zone. Its timers are not used. They
 * follow the wall clock without asking and go through every run that a step of the clock has skipped: a station that starts in 1970 and
 * then learns the time would count 56 years of ten minutes, in minutes without a verdict.
 */
import { createTask, parse, validateDetailed } from 'node-cron'

export interface Cron {
  /** The first time after this one, both in milliseconds of the wall clock; undefined when there is none within years. */
  next(afterMs: number): number | undefined
}

/** A leap day that is a Sunday comes every 28 years, and 40 when a century has none. */
const MOST_DAYS = 366 * 41

/** @returns what is wrong with an expression; undefined when nothing is. */
export function cronProblem(expression: string): string | undefined {
  const fields = fieldsOf(expression).length
  if (fields !== 5) {
    return `has ${fields} fields, expected five: minute, hour, day of the month, month, day of the week`
  }
  const { errors } = validateDetailed(expression)
  return errors.length === 0 ? undefined : errors.map(({ message }) => message).join('; ')
}

/**
 * A time that summer time skips comes an hour later, one that comes twice counts once.
 * @param expression without a problem.
 */
export function parseCron(expression: string): Cron {
  const { hour, minute } = parse(expression)
  // Whole days are looked for first: minute by minute, the next January would take seconds.
  const days = createTask(`* * ${fieldsOf(expression).slice(2).join(' ')}`, () => undefined)
  // It stays in a list of the library's otherwise.
  void days.destroy()
  return {
    next(afterMs) {
      const noon = new Date(afterMs)
      noon.setHours(12, 0, 0, 0)
      for (let day = 0; day < MOST_DAYS; day++) {
        if (days.match(noon)) {
          const times = hour.flatMap((hours) => minute.map((minutes) => atTime(noon, hours, minutes)))
          const first = times.reduce((least, at) => (at > afterMs && at < least ? at : least), Infinity)
          if (first < Infinity) return first
        }
        noon.setDate(noon.getDate() + 1)
      }
      return undefined
    },
  }
}

const fieldsOf = (expression: string): string[] => expression.trim().split(/\s+/)

function atTime(day: Date, hours: number, minutes: number): number {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate(), hours, minutes).getTime()
}
