/** A tar as nobody means well: any name, any kind of entry, any header. */
import { buffer } from 'node:stream/consumers'
import { pack, type Header } from 'tar-stream'

export type RawEntry = Partial<Header> & { readonly name: string; readonly bytes?: Uint8Array }

export async function tarOf(...entries: readonly RawEntry[]): Promise<Buffer> {
  const tar = pack()
  for (const { bytes, ...header } of entries) {
    const whole = { mode: 0o644, mtime: new Date(0), ...header }
    if (bytes === undefined) tar.entry(whole)
    else tar.entry(whole, Buffer.from(bytes))
  }
  tar.finalize()
  return buffer(tar)
}
