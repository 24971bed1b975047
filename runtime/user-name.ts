import { userInfo } from 'node:os'

/** Whoever runs this process, for the ledger. A container's user may have a number only. */
export function userName(lookUp: () => { username: string } = userInfo): string {
  try {
    return lookUp().username
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`
  }
}
