/**
 * The next frame's memory, made while its sensor is still exposing: the system hands memory out page by page as it is first
 * written to, and for the 4 MB of a colour picture that takes longer (2 to 4 ms) than the conversion into it.
 */
export class FrameMemory {
  #spare: Uint8Array | undefined

  /** To be called while waiting. */
  prepare(bytes: number): void {
    if (this.#spare?.length === bytes) return
    this.#spare = new Uint8Array(bytes)
    // Also zeros, but written.
    this.#spare.fill(0)
  }

  /** @returns zeros, the caller's for good; prepared or not */
  take(bytes: number): Uint8Array {
    const spare = this.#spare
    this.#spare = undefined
    return spare?.length === bytes ? spare : new Uint8Array(bytes)
  }
}
