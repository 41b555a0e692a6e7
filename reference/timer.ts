// Timers hold at most 2³¹ − 1 milliseconds, and fire at once where they are asked for more.

const LONGEST = 0x7fffffff;

/** Calls `late` after that many milliseconds, of which there may be infinitely many. Returns what stops it. */
export function startTimer(milliseconds: number, late: () => void): () => void {
  if (milliseconds === Infinity) return () => {};
  const timer = setTimeout(late, Math.min(milliseconds, LONGEST));
  return () => clearTimeout(timer);
}
