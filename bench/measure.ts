// Time is the median of several runs: one that the machine interrupted does not count.
const RUNS = 7;

/** Milliseconds that `work` takes, after a first run in which the engine compiles it. */
export function medianMilliseconds(work: () => void): number {
  work();
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return times.toSorted((a, b) => a - b)[RUNS >> 1];
}
