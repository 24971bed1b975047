/** Why something from elsewhere is not believed. Decide on `code`; the message is for a person. */
export type ExchangeErrorCode =
  /** A key file is absent, or holds no Ed25519 key of the kind that is needed. */
  | 'KEY_UNREADABLE'
  /** The config names no key to sign with, or none to believe. */
  | 'KEY_MISSING'
  /** There is no signature. */
  | 'UNSIGNED'
  /** Signed with a key that the config does not trust. */
  | 'KEY_UNKNOWN'
  /** The signature is not that of this id by this key. */
  | 'SIGNATURE_WRONG'
  /** No archive of ours at all. */
  | 'ARCHIVE_UNREADABLE'
  /** It ends before its contents do. */
  | 'ARCHIVE_TRUNCATED'
  /** It goes on behind its contents. */
  | 'ARCHIVE_TRAILING'
  /** An entry that no archive of ours has: another name, a path, a link, a folder, a device, a second one of a name. */
  | 'ARCHIVE_ENTRY'
  /** Larger than the station takes. */
  | 'ARCHIVE_OVERSIZED'
  /** The contents are not those of the id that was signed. */
  | 'ID_WRONG'
  /** The banks are not those that the manifest names. */
  | 'HASH_WRONG'
  /** Signed and whole, and yet no repository. */
  | 'CONTENTS_WRONG'
  /** Of another version of this program. */
  | 'OTHER_SCHEMA'
  | 'OTHER_UNITS'
  | 'OTHER_PRODUCT'
  | 'OTHER_BUNDLE'
  | 'OTHER_NORMALISATION'
  | 'OTHER_ENGINE'
  | 'OTHER_PLANE'

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly code: ExchangeErrorCode

  constructor(code: ExchangeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
