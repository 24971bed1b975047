/**
 * Damages a relief. Sizes follow the part's own size: a careful inspector finds every defect, and none covers half of the
 * part.
 */
import type { Damageable } from './damage-site.ts'
import type { Damage } from './defect.ts'
import { press, warp } from './defects/bent.ts'
import { chip, crack, litter, pierce, scratch } from './defects/broken.ts'
import { discolour, stain } from './defects/tainted.ts'
import type { Random } from '../random.ts'

export function damage(part: Damageable, kind: Damage, random: Random): void {
  switch (kind) {
    case 'stain':
      return stain(part, random)
    case 'discolouration':
      return discolour(part, random)
    case 'dent':
      return press(part, random, -1)
    case 'bump':
      return press(part, random, 1)
    case 'warp':
      return warp(part, random)
    case 'hole':
      return pierce(part, random)
    case 'scratch':
      return scratch(part, random)
    case 'crack':
      return crack(part, random)
    case 'chipped':
      return chip(part, random)
    case 'foreign-body':
      return litter(part, random)
  }
}
