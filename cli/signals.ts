// Signals: the first one asks a command to stop between two steps, a second one ends the process at once.

const caught = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Whether a signal came. */
  readonly stopped: () => boolean;
  /** Leaves signals to Node again. */
  readonly release: () => void;
}

/** Catches the first signal from now on, and calls `onFirst` then. */
export function catchSignals(onFirst?: () => void): Interruption {
  const controller = new AbortController();
  const release = (): void => {
    for (const name of caught) process.removeListener(name, stop);
  };
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      // Both came while the program computed, and are delivered together.
      release();
      process.kill(process.pid, name);
      return;
    }
    controller.abort();
    onFirst?.();
    // Without a listener the system itself ends the process, in the middle of a computation too.
    setImmediate(release);
  };
  for (const name of caught) process.on(name, stop);
  return { signal: controller.signal, stopped: () => controller.signal.aborted, release };
}

/** Milliseconds of computing after which signals are looked at. */
const STRETCH = 100;

/** A function to await now and then in a long computation: lets signals be delivered, if the last time was a while ago. */
export function pauses(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < STRETCH) return;
    await new Promise((resolve) => setImmediate(resolve)); // a signal is delivered between two turns of the event loop
    last = performance.now();
  };
}

/** Takes steps one by one, with a turn for signals after each. Resolves to whether one came before the end. */
export async function untilSignal<T>(steps: Iterable<T>, take: (step: T) => void): Promise<boolean> {
  const { signal, release } = catchSignals();
  try {
    for (const step of steps) {
      take(step);
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return true;
    }
    return false;
  } finally {
    release();
  }
}
