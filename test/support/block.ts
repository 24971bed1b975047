/** Holds this thread and hears nothing, as a graph's run or a busy machine does. Sleeps instead of spinning, the machine is shared. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
