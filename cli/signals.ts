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

/** Catches the first signal from now on. */
export function catchSignals(): Interruption {
  const controller = new AbortController();
  const release = (): void => {
    for (const name of caught) process.removeListener(name, stop);
  };
  const stop = (): void => {
    controller.abort();
    release();
  };
  for (const name of caught) process.on(name, stop);
  return { signal: controller.signal, stopped: () => controller.signal.aborted, release };
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
