/** A unit test earns coverage only for its own unit: test/drivers/rig.test.ts covers drivers/rig.ts. */
export default (test) => {
  if (/^test\/(support|bench|hardware|integration)\//.test(test) || /architecture\.test\.ts$/.test(test))
    return null
  return test.replace(/^test\//, '').replace(/\.test\.ts$/, '.ts')
}
