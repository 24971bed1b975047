/** Every product that the synthetic station can show. */
import { blisterPack } from './categories/blister-pack.ts'
import { circuitBoard } from './categories/circuit-board.ts'
import { cookie } from './categories/cookie.ts'
import { flange } from './categories/flange.ts'
import { gear } from './categories/gear.ts'
import { hexNut } from './categories/hex-nut.ts'
import { jarLid } from './categories/jar-lid.ts'
import { plank } from './categories/plank.ts'
import { rope } from './categories/rope.ts'
import { tomato } from './categories/tomato.ts'
import { toyBrick } from './categories/toy-brick.ts'
import { tyre } from './categories/tyre.ts'
import type { Category } from './category.ts'

export const CATEGORIES = {
  'hex-nut': hexNut,
  gear,
  flange,
  tyre,
  rope,
  plank,
  'toy-brick': toyBrick,
  'circuit-board': circuitBoard,
  'jar-lid': jarLid,
  'blister-pack': blisterPack,
  cookie,
  tomato,
} as const satisfies Record<string, Category>

export type CategoryName = keyof typeof CATEGORIES

export const CATEGORY_NAMES = Object.keys(CATEGORIES) as readonly string[] as readonly CategoryName[]

export const categoryNamed = (name: CategoryName): Category => CATEGORIES[name]
