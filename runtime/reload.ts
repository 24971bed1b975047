/** `cmd/reload`: the repository that the ledger says is in use is taken into use by the running station. */
import { messageOf } from '../drivers/message-of.ts'
import type { InspectorDescription } from '../models/host-protocol.ts'
import type { Ledger } from './ledger.ts'
import { reloadCommandSchema } from './messages.ts'
import type { CommandHandler } from './remote-commands.ts'
import { RuntimeError } from './runtime-error.ts'

export interface ReloadOptions {
  readonly ledger: Pick<Ledger, 'activeFolder'>
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
export function reloadCommand({ ledger, product, host, signal, onReloaded }: ReloadOptions): CommandHandler {
  return async (request) => {
    if (!reloadCommandSchema.safeParse(request).success) {
      throw new RuntimeError('BAD_COMMAND', 'not a reload: expected no payload, or {"transaction": ...}')
    }
    const patience = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
    let repositoryId: string | undefined
    try {
      const folder = ledger.activeFolder(product)
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
