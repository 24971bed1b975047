import t from 'tap'
import { loadAravis } from '../../drivers/aravis-library.ts'
import { DriverError } from '../../drivers/driver.ts'
import { genicam } from '../../drivers/genicam.ts'

t.test('without the library a camera says what to install, and the daemon lives', async (t) => {
  const driver = genicam({
    name: 'top',
    trigger: { kind: 'software' },
    library: () => loadAravis('libaravis-none.so.0'),
  })
  const opening = driver.open(new AbortController().signal)
  await t.rejects(opening, { code: 'DRIVER_UNAVAILABLE', message: /apt-get install libaravis-0\.8-0/ })
  await driver.close()
})

t.test('another library under that name is refused, too', async (t) => {
  t.throws(() => loadAravis('libc.so.6'), DriverError)
})
