import { messageOf } from '../../drivers/message-of.ts'
import { triggerCommandSchema } from '../messages.ts'
import { RuntimeError } from '../runtime-error.ts'
import type { InspectionRequest } from './feed.ts'

/** @param json what cmd/trigger, a trigger file or a line of stdin held. @throws RuntimeError BAD_COMMAND */
export function parseRequest(json: unknown, source: InspectionRequest['source']): InspectionRequest {
  const result = triggerCommandSchema.safeParse(json)
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => [...path, message].join(': '))
    throw new RuntimeError('BAD_COMMAND', `not a trigger: ${problems.join('; ')}`, { cause: result.error })
  }
  const { partId } = result.data
  return { source, ...(partId !== undefined && { partId }) }
}

/** @throws RuntimeError BAD_COMMAND */
export function parseRequestJson(text: string, source: InspectionRequest['source']): InspectionRequest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    const reason = messageOf(error)
    throw new RuntimeError('BAD_COMMAND', `not JSON: ${reason}`, { cause: error })
  }
  return parseRequest(json, source)
}

/** A bare word is a part id, an object is the whole request, nothing is a part without a name. @throws RuntimeError BAD_COMMAND */
export function parseRequestText(text: string, source: InspectionRequest['source']): InspectionRequest {
  const trimmed = text.trim()
  if (trimmed === '') return { source }
  return trimmed.startsWith('{')
    ? parseRequestJson(trimmed, source)
    : parseRequest({ partId: trimmed }, source)
}
