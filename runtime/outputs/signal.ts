import type { VerdictPayload } from '../messages.ts'

export type Signal = 'reject' | 'accept' | 'nothing'

/** What the line is told: a reject stays one, whatever the settings say of unknown parts. */
export function signalOf(
  { outcome, action }: Pick<VerdictPayload, 'outcome' | 'action'>,
  { unknown, review }: { readonly unknown: Signal; readonly review: Signal },
): Signal {
  if (action === 'reject') return 'reject'
  if (outcome === 'unknown') return unknown
  if (action === 'review') return review
  return 'accept'
}
