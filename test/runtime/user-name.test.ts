import t from 'tap'
import { userInfo } from 'node:os'
import { userName } from '../../runtime/user-name.ts'

t.test('whoever runs the process is named, if only by number', async (t) => {
  t.equal(userName(), userInfo().username)
  const nameless = userName(() => {
    throw new Error('uv_os_get_passwd returned ENOENT')
  })
  t.match(nameless, /^user \d+$/)
})
