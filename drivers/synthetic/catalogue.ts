/** Every product that the synthetic station can show. */
import type { Category } from './category.ts'
import { cookie } from './categories/cookie.ts'
import { gear } from './categories/gear.ts'
import { hexNut } from './categories/hex-nut.ts'
import { plank } from './categories/plank.ts'
import { toyBrick } from './categories/toy-brick.ts'

export const CATEGORIES = {
  'hex-nut': hexNut,
  gear,
  'toy-brick': toyBrick,
  plank,
  cookie,
} as const satisfies Record<string, Category>

export type CategoryName = keyof typeof CATEGORIES

export const CATEGORY_NAMES = Object.keys(CATEGORIES) as readonly string[] as readonly CategoryName[]

export const categoryNamed = (name: CategoryName): Category => CATEGORIES[name]
