// The processor's time, not the wall's, and the median of several runs: other programs on the machine hardly count.
const RUNS = 7;

/** Processor milliseconds that each of several pieces of work takes, in turns, after a first run that the engine compiles in. */
export function medianMilliseconds(...work: readonly (() => void)[]): number[] {
  const times = work.map((): number[] => []);
  for (let run = 0; run <= RUNS; run++) {
    for (const [i, piece] of work.entries()) {
      const before = process.cpuUsage();
      piece();
      const { user, system } = process.cpuUsage(before);
      if (run > 0) times[i].push((user + system) / 1000);
    }
  }
  return times.map((list) => list.toSorted((a, b) => a - b)[RUNS >> 1]);
}
