import t from 'tap'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  createKeys,
  readSigningKey,
  readTrustedKeys,
  signId,
  verifySignature,
  type NamedKey,
} from '../../models/signature.ts'

const ID = 'a'.repeat(64)

async function keyPair(folder: string, name: string): Promise<{ signer: NamedKey; trusted: NamedKey }> {
  const { privateKeyFile, publicKeyFile } = await createKeys(folder, name)
  const signer = await readSigningKey({ name, privateKeyFile })
  const [trusted] = await readTrustedKeys([{ name, publicKeyFile }])
  return { signer, trusted: trusted! }
}

t.test('what a trusted key has signed is believed, and signed again it is the same bytes', async (t) => {
  const { signer, trusted } = await keyPair(t.testdir(), 'lab')
  const bytes = signId('repository', ID, signer)
  t.same(signId('repository', ID, signer), bytes)
  const about = { kind: 'repository', what: 'it', keys: [trusted] } as const
  t.same(verifySignature(bytes, about), { id: ID, keyName: 'lab' })
})

t.test('whatever else a signature file says is refused with the reason', async (t) => {
  const { signer, trusted } = await keyPair(t.testdir(), 'lab')
  const other = await keyPair(path.join(t.testdirName, 'other'), 'lab')
  const text = Buffer.from(signId('repository', ID, signer)).toString()
  const changed = (edit: (text: string) => string): Buffer => Buffer.from(edit(text))
  const cases: [what: string, bytes: Uint8Array, keys: readonly NamedKey[], code: string, said: RegExp][] = [
    [
      'no key in the config',
      Buffer.from(text),
      [],
      'KEY_MISSING',
      /signed by 'lab'.*trusts no key: .*trust\.keys/,
    ],
    [
      'a key of another name',
      Buffer.from(text),
      [{ ...trusted, name: 'plant' }],
      'KEY_UNKNOWN',
      /signed by 'lab', this station trusts 'plant'/,
    ],
    [
      'another key of that name',
      Buffer.from(text),
      [other.trusted],
      'SIGNATURE_WRONG',
      /not that of a{64} by key 'lab'/,
    ],
    [
      'another id',
      changed((it) => it.replace('aaaa', 'bbbb')),
      [trusted],
      'SIGNATURE_WRONG',
      /not that of bbbb/,
    ],
    [
      'a bundle’s signature',
      signId('bundle', ID, signer),
      [trusted],
      'SIGNATURE_WRONG',
      /not one of a repository/,
    ],
    [
      'a bundle’s signature that calls itself a repository’s',
      Buffer.from(
        Buffer.from(signId('bundle', ID, signer))
          .toString()
          .replace('bundle', 'repository'),
      ),
      [trusted],
      'SIGNATURE_WRONG',
      /not that of/,
    ],
    [
      'another algorithm',
      changed((it) => it.replace('ed25519', 'none')),
      [trusted],
      'SIGNATURE_WRONG',
      /algorithm/,
    ],
    ['an unknown key', changed((it) => it.replace('{', '{ "x": 1,')), [trusted], 'SIGNATURE_WRONG', /"x"/],
    ['no JSON', Buffer.from('hello'), [trusted], 'SIGNATURE_WRONG', /not JSON/],
  ]
  for (const [what, bytes, keys, code, message] of cases) {
    t.throws(() => verifySignature(bytes, { kind: 'repository', what: 'it', keys }), { code, message }, what)
  }
})

t.test('a new pair: only its owner can read the private key, and no pair is written over', async (t) => {
  const folder = path.join(t.testdir(), 'keys')
  const { privateKeyFile, publicKeyFile } = await createKeys(folder, 'lab')
  t.equal((await stat(privateKeyFile)).mode & 0o777, 0o600)
  const before = await readFile(privateKeyFile, 'utf8')
  await t.rejects(createKeys(folder, 'lab'), { code: 'EEXIST' })
  t.equal(await readFile(privateKeyFile, 'utf8'), before)

  await writeFile(path.join(folder, 'half.public.pem'), 'somebody’s')
  await t.rejects(createKeys(folder, 'half'), { code: 'EEXIST' })
  await t.rejects(stat(path.join(folder, 'half.private.pem')), { code: 'ENOENT' }, 'nor half a one left')
  t.match(await readFile(publicKeyFile, 'utf8'), /BEGIN PUBLIC KEY/)
})

t.test('a key file that is none, of another kind or of the other half is refused by name', async (t) => {
  const folder = t.testdir({ text: 'hello', large: 'x'.repeat(20_000) })
  const { privateKeyFile, publicKeyFile } = await createKeys(folder, 'lab')
  const rsa = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  await writeFile(path.join(folder, 'rsa.public.pem'), rsa.publicKey)
  await writeFile(path.join(folder, 'rsa.private.pem'), rsa.privateKey)
  const cases: [file: string, said: RegExp][] = [
    ['absent', /absent cannot be read/],
    ['text', /text holds no key/],
    ['large', /too large/],
    ['rsa.public.pem', /type rsa, expected Ed25519/],
    [path.basename(privateKeyFile), /holds a private key, expected the public one/],
  ]
  for (const [file, message] of cases) {
    const reading = readTrustedKeys([{ name: 'lab', publicKeyFile: path.join(folder, file) }])
    await t.rejects(reading, { code: 'KEY_UNREADABLE', message }, file)
  }
  for (const file of [publicKeyFile, path.join(folder, 'rsa.private.pem'), path.join(folder, 'absent')]) {
    await t.rejects(readSigningKey({ name: 'lab', privateKeyFile: file }), { code: 'KEY_UNREADABLE' }, file)
  }
  await t.rejects(readSigningKey(undefined), { code: 'KEY_MISSING', message: /keys create.*trust\.signing/ })
})
