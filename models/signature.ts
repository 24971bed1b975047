/**
 * What comes from elsewhere is believed when a key that the config trusts has signed its id. The id is a hash over every byte,
 * so the signature is one over every byte. Ed25519; keys are PEM files.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { ExchangeError } from './exchange-error.ts'

export type SignedKind = 'repository' | 'bundle'

/** A key and the name that it has in the config and in signatures. */
export interface NamedKey {
  readonly name: string
  readonly key: KeyObject
}

/** The file's name in an archive and beside a bundle's manifest. */
export const SIGNATURE_FILE = 'signature.json'
/** Six short fields. */
export const SIGNATURE_BYTES_LIMIT = 4096
/** An Ed25519 key in PEM has 120 bytes. */
const KEY_BYTES_LIMIT = 16_384

const signatureSchema = z.strictObject({
  schema: z.enum(['radar-edge/repository-signature@1', 'radar-edge/bundle-signature@1']),
  id: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex'),
  keyName: z.string().min(1).max(64),
  algorithm: z.literal('ed25519'),
  /** Of `statementOf` in base64: 64 bytes. */
  signature: z.string().regex(/^[A-Za-z0-9+/]{85}[AQgw]==$/, '64 bytes in base64'),
})
export type Signature = z.infer<typeof signatureSchema>

/** Says what is signed, so that a signature for one kind is never one for the other. */
function statementOf(kind: SignedKind, id: string): Buffer {
  return Buffer.from(`radar-edge/${kind}-signature@1\n${id}`)
}

/** @returns the bytes of a signature file; equal for the same id and key. */
export function signId(kind: SignedKind, id: string, signer: NamedKey): Uint8Array {
  const signature: Signature = signatureSchema.parse({
    schema: `radar-edge/${kind}-signature@1`,
    id,
    keyName: signer.name,
    algorithm: 'ed25519',
    signature: sign(null, statementOf(kind, id), signer.key).toString('base64'),
  })
  return Buffer.from(`${JSON.stringify(signature, null, 2)}\n`)
}

/**
 * @param what names the signed thing in messages.
 * @returns the id that was signed, and by which key.
 * @throws ExchangeError `UNSIGNED`, `KEY_MISSING`, `KEY_UNKNOWN` or `SIGNATURE_WRONG`.
 */
export function verifySignature(
  bytes: Uint8Array,
  { kind, what, keys }: { kind: SignedKind; what: string; keys: readonly NamedKey[] },
): { readonly id: string; readonly keyName: string } {
  const { schema, id, keyName, signature } = parseSignature(bytes, what)
  if (schema !== `radar-edge/${kind}-signature@1`) {
    throw new ExchangeError(
      'SIGNATURE_WRONG',
      `${what}: the signature is of schema '${schema}', not one of a ${kind}`,
    )
  }
  if (keys.length === 0) {
    const found = `${what} is signed by '${keyName}'`
    throw new ExchangeError(
      'KEY_MISSING',
      `${found}, and this station trusts no key: add it to trust.keys in the config`,
    )
  }
  const trusted = keys.find(({ name }) => name === keyName)
  if (trusted === undefined) {
    const known = keys.map(({ name }) => `'${name}'`).join(', ')
    throw new ExchangeError(
      'KEY_UNKNOWN',
      `${what} is signed by '${keyName}', this station trusts ${known} (trust.keys)`,
    )
  }
  if (!verify(null, statementOf(kind, id), trusted.key, Buffer.from(signature, 'base64'))) {
    throw new ExchangeError(
      'SIGNATURE_WRONG',
      `${what}: the signature is not that of ${id} by key '${keyName}'`,
    )
  }
  return { id, keyName }
}

function parseSignature(bytes: Uint8Array, what: string): Signature {
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw new ExchangeError('SIGNATURE_WRONG', `${what}: ${SIGNATURE_FILE} is not JSON`, { cause })
  }
  const parsed = signatureSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new ExchangeError(
    'SIGNATURE_WRONG',
    `${what}: ${SIGNATURE_FILE} is none:\n${z.prettifyError(parsed.error)}`,
  )
}

/** @throws ExchangeError `KEY_UNREADABLE`, also for a private key: that one has no business on a station that only believes. */
export async function readTrustedKeys(
  keys: readonly { readonly name: string; readonly publicKeyFile: string }[],
): Promise<NamedKey[]> {
  return Promise.all(
    keys.map(async ({ name, publicKeyFile }) => {
      const pem = await readKeyFile(publicKeyFile)
      if (pem.includes('PRIVATE KEY')) {
        throw new ExchangeError(
          'KEY_UNREADABLE',
          `${publicKeyFile} holds a private key, expected the public one`,
        )
      }
      return { name, key: ed25519Of(publicKeyFile, () => createPublicKey(pem)) }
    }),
  )
}

/** @throws ExchangeError `KEY_UNREADABLE`, or `KEY_MISSING` when the config names none. */
export async function readSigningKey(
  signing: { readonly name: string; readonly privateKeyFile: string } | undefined,
): Promise<NamedKey> {
  if (signing === undefined) {
    throw new ExchangeError(
      'KEY_MISSING',
      'the config names no key to sign with: make a pair with `radar-edge keys create` and set trust.signing',
    )
  }
  const { name, privateKeyFile } = signing
  const pem = await readKeyFile(privateKeyFile)
  return { name, key: ed25519Of(privateKeyFile, () => createPrivateKey(pem)) }
}

/** @returns the two files. Neither must exist; only the owner can read the private one. */
export async function createKeys(
  folder: string,
  name: string,
): Promise<{ readonly privateKeyFile: string; readonly publicKeyFile: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const privateKeyFile = path.join(folder, `${name}.private.pem`)
  const publicKeyFile = path.join(folder, `${name}.public.pem`)
  await mkdir(folder, { recursive: true })
  await writeNewFile(privateKeyFile, privateKey, 0o600)
  try {
    await writeNewFile(publicKeyFile, publicKey, 0o644)
  } catch (error) {
    await rm(privateKeyFile)
    throw error
  }
  return { privateKeyFile, publicKeyFile }
}

async function writeNewFile(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readKeyFile(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r')
    try {
      const { size } = await handle.stat()
      if (size <= KEY_BYTES_LIMIT) return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw new ExchangeError('KEY_UNREADABLE', `${file} cannot be read`, { cause })
  }
  throw new ExchangeError('KEY_UNREADABLE', `${file} is too large for a key, expected an Ed25519 key as PEM`)
}

function ed25519Of(file: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject
  try {
    key = parse()
  } catch (cause) {
    throw new ExchangeError('KEY_UNREADABLE', `${file} holds no key that is expected here: Ed25519 as PEM`, {
      cause,
    })
  }
  if (key.asymmetricKeyType === 'ed25519') return key
  throw new ExchangeError(
    'KEY_UNREADABLE',
    `${file} holds a key of type ${key.asymmetricKeyType}, expected Ed25519`,
  )
}
