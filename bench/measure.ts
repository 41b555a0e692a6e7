// Processor time, not wall time, and the median of several runs: other programs on the machine hardly matter.
const RUNS = 7;

/** Processor milliseconds of each piece of work. The pieces take turns, and a first run, in which the engine compiles, is left out. */
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
