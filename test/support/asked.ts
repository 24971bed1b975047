import type { VerdictPayload } from '../../runtime/messages.ts'
import type { Ask, InspectionRequest } from '../../runtime/triggers/feed.ts'
import { makePayload } from './inspected.ts'

/** A station that only writes down what it is asked, and gives its verdicts when told. */
export function makeAsk() {
  const requests: InspectionRequest[] = []
  const answers: ((verdict: VerdictPayload) => void)[] = []
  const ask: Ask = (request) => {
    requests.push(request)
    const verdict = new Promise<VerdictPayload>((resolve) => answers.push(resolve))
    return { triggerId: `run-${requests.length}`, verdict }
  }
  const answerAll = () => answers.splice(0).forEach((answer) => answer(makePayload()))
  return { ask, requests, answerAll }
}
