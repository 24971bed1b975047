import t from 'tap'
import { CATEGORIES, CATEGORY_NAMES, categoryNamed } from '../../../drivers/synthetic/catalogue.ts'
import { DEFECT_KINDS, VISIBLE_IN } from '../../../drivers/synthetic/defect.ts'

t.test('there are at least ten products and six kinds of defect', async (t) => {
  t.ok(CATEGORY_NAMES.length >= 10)
  const used = new Set(CATEGORY_NAMES.flatMap((name) => [...CATEGORIES[name].defects]))
  t.same([...used].sort(), [...DEFECT_KINDS].sort(), 'every kind of defect has a product')
})

t.test('every product has a defect for colour alone, for shape alone and for both', async (t) => {
  for (const name of CATEGORY_NAMES) {
    const seen = new Set(categoryNamed(name).defects.map((defect) => VISIBLE_IN[defect]))
    t.same([...seen].sort(), ['both', 'rgb', 'xyz'], name)
    t.equal(categoryNamed(name).name, name)
    t.ok(
      2 * categoryNamed(name).radiusMetres < categoryNamed(name).fieldMetres * 1.05,
      `${name} fits in its field`,
    )
  }
})
