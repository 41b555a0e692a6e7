// A long computation in turns: a generator that yields where its caller may do something else first, such as look at signals.

/** A computation that yields now and then, and returns its result. */
export type Turns<T> = Generator<void, T>;

/** Runs a computation to its end. */
export function toTheEnd<T>(turns: Turns<T>): T {
  for (;;) {
    const { done, value } = turns.next();
    if (done === true) return value;
  }
}

/** Runs a computation, and awaits `pause` where it yields. */
export async function withPauses<T>(turns: Turns<T>, pause: () => Promise<void>): Promise<T> {
  for (;;) {
    const { done, value } = turns.next();
    if (done === true) return value;
    await pause();
  }
}
