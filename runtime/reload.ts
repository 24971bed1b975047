/** `cmd/reload`: the repository that `teach` has put into use on the disk is taken into use by the running station. */
import { messageOf } from '../drivers/message-of.ts'
import type { InspectorDescription } from '../models/host-protocol.ts'
import { activeRepository } from '../models/repository-store.ts'
import { reloadCommandSchema } from './messages.ts'
import type { CommandHandler } from './remote-commands.ts'
import { RuntimeError } from './runtime-error.ts'

export interface ReloadOptions {
  /** Holds the repositories of every product. */
  readonly root: string
  readonly product: string
  readonly host: {
    activate(repositoryFolder: string, signal: AbortSignal): Promise<InspectorDescription>
  }
  readonly signal: AbortSignal
  /** After the repository has changed hands. */
  onReloaded(repositoryId: string | undefined): void
}

/** Reading and checking hundreds of megabytes takes seconds on a slow disk; a host that is away takes longer to come back. */
const DEADLINE_MS = 30_000

/** Parts that come meanwhile wait for it, within their own deadlines. */
export function reloadCommand({ root, product, host, signal, onReloaded }: ReloadOptions): CommandHandler {
  return async (request) => {
    if (!reloadCommandSchema.safeParse(request).success) {
      throw new RuntimeError('BAD_COMMAND', 'not a reload: expected no payload, or {"transaction": ...}')
    }
    const patience = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
    let repositoryId: string | undefined
    try {
      const folder = await activeRepository(root, product)
      if (folder === undefined) throw new Error(`${product} was never taught`)
      repositoryId = (await host.activate(folder, patience)).repositoryId
    } catch (error) {
      const detail = messageOf(error)
      throw new RuntimeError('RELOAD_REFUSED', detail, { cause: error })
    }
    onReloaded(repositoryId)
    return { product, repositoryId }
  }
}
