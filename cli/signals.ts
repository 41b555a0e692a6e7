/** The exit status of a command that was stopped. */
export const INTERRUPTED = 130;

/** The first signal asks a command to stop between two steps; a second one ends the process at once. */
export function catchSignals(): { stopped: () => boolean; release: () => void } {
  let caught = false;
  const release = (): void => {
    process.removeListener("SIGINT", stop);
    process.removeListener("SIGTERM", stop);
  };
  const stop = (): void => {
    caught = true;
    release();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return { stopped: () => caught, release };
}
