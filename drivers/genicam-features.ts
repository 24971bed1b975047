/** A camera's features by name, as its own description (GenICam XML) declares them. */
import { AravisError, type Address, type AravisLibrary } from './aravis-library.ts'
import { DriverError } from './driver.ts'

export type FeatureValue = string | number | boolean

export interface FeatureReader {
  /** Undefined where the camera has no such feature, or cannot read it now. */
  number(name: string): Promise<number | undefined>
  text(name: string): Promise<string | undefined>
  flag(name: string): Promise<boolean | undefined>
  /** Sets a selector; false where the camera does not have it. */
  select(name: string, value: string): Promise<boolean>
}

export class GenicamFeatures implements FeatureReader {
  readonly #library: AravisLibrary
  readonly #device: Address

  constructor(library: AravisLibrary, device: Address) {
    this.#library = library
    this.#device = device
  }

  /**
   * `true` executes a command. Numbers and booleans are also written where the camera wants a text.
   *
   * @throws DriverError `DRIVER_UNAVAILABLE` with the feature, the value and what the camera says of it
   */
  async set(name: string, value: FeatureValue): Promise<void> {
    const node = this.#library.direct('feature', this.#device, name)
    if (node === null) throw unavailable(name, value, 'the camera has no such feature')
    const type = this.#library.direct('typeName', node) ?? ''
    try {
      await this.#write(type, name, value)
    } catch (cause) {
      if (!(cause instanceof AravisError)) throw cause
      throw unavailable(name, value, cause.message, cause)
    }
  }

  #write(type: string, name: string, value: FeatureValue): Promise<void> {
    const { call } = this.#library
    if (type === 'ArvGcCommand') {
      if (value !== true) throw unavailable(name, value, 'it is a command: expected true')
      return call('execute', this.#device, name)
    }
    if (typeof value === 'boolean') {
      const setter = type === 'ArvGcBoolean' ? 'setBoolean' : 'setInteger'
      return call(setter, this.#device, name, value ? 1 : 0)
    }
    if (isTextual(type)) return call('setString', this.#device, name, String(value))
    if (typeof value === 'string') {
      throw unavailable(name, value, 'it is no text: expected a number or true or false')
    }
    return isWhole(type)
      ? call('setInteger', this.#device, name, Math.round(value))
      : call('setFloat', this.#device, name, value)
  }

  number(name: string): Promise<number | undefined> {
    return this.#read(name, (type) =>
      this.#library.call(isWhole(type) ? 'getInteger' : 'getFloat', this.#device, name),
    )
  }

  text(name: string): Promise<string | undefined> {
    return this.#read(
      name,
      async () => (await this.#library.call('getString', this.#device, name)) ?? undefined,
    )
  }

  flag(name: string): Promise<boolean | undefined> {
    return this.#read(name, async (type) => {
      const reader = type === 'ArvGcBoolean' ? 'getBoolean' : 'getInteger'
      return (await this.#library.call(reader, this.#device, name)) !== 0
    })
  }

  async select(name: string, value: string): Promise<boolean> {
    if (!(await this.#isAvailable(name))) return false
    try {
      await this.#library.call('setString', this.#device, name, value)
      return true
    } catch (error) {
      if (error instanceof AravisError) return false
      throw error
    }
  }

  async #read<T>(name: string, read: (type: string) => Promise<T>): Promise<T | undefined> {
    if (!(await this.#isAvailable(name))) return undefined
    const node = this.#library.direct('feature', this.#device, name)
    const type = node === null ? '' : (this.#library.direct('typeName', node) ?? '')
    try {
      return await read(type)
    } catch (error) {
      if (error instanceof AravisError) return undefined
      throw error
    }
  }

  async #isAvailable(name: string): Promise<boolean> {
    if (this.#library.direct('feature', this.#device, name) === null) return false
    return (await this.#library.call('isFeatureAvailable', this.#device, name)) !== 0
  }
}

function isTextual(type: string): boolean {
  return type === 'ArvGcEnumeration' || type.startsWith('ArvGcString')
}

/** Integer nodes: ArvGcIntegerNode, ArvGcIntRegNode, ArvGcIntConverterNode, ArvGcIntSwissKnifeNode, ArvGcMaskedIntRegNode. */
function isWhole(type: string): boolean {
  return type === 'ArvGcEnumeration' || type === 'ArvGcBoolean' || /^ArvGc(Masked)?Int/.test(type)
}

function unavailable(name: string, value: FeatureValue, why: string, cause?: unknown): DriverError {
  return new DriverError('DRIVER_UNAVAILABLE', `feature ${name} cannot be set to ${value}: ${why}`, { cause })
}
