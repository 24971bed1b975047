/** Whether this user may open a device, and what to do when not. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { userName } from './user-name.ts'

export const mayOpen = (path: string): Promise<boolean> =>
  access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )

export function groupFix(group: string): string {
  return `sudo usermod -aG ${group} ${userName()}, then log in again; for a service: SupplementaryGroups=${group}`
}
