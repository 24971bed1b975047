import { resolve } from 'node:path'
import { openBundle, verifyGolden } from '../../models/bundle.ts'
import { signBundle } from '../../models/bundle-signature.ts'
import { readSigningKey } from '../../models/signature.ts'
import { readConfig } from '../config.ts'

/** `radar-edge bundle sign`: only a bundle that is whole and answers its golden vectors is signed. */
export async function signBundleCommand(options: {
  readonly config: string
  readonly folder: string
  readonly json: boolean
}): Promise<void> {
  const { trust, inference } = await readConfig(options.config)
  const signer = await readSigningKey(trust.signing)
  const bundle = await openBundle(resolve(options.folder), inference)
  try {
    await verifyGolden(bundle)
    await signBundle(bundle, signer)
    const { id, folder, manifest } = bundle
    const report = { bundleId: id, name: manifest.name, folder, keyName: signer.name }
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report)}\n`
        : `${manifest.name} ${id.slice(0, 12)} in ${folder} is signed by '${signer.name}'\n`,
    )
  } finally {
    await bundle.release()
  }
}
