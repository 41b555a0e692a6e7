// The largest numbers that a sum of n terms can pass through, whatever the order of its additions.
//
// A sum is a binary tree with its terms as leaves: n − 1 additions, each of which errs by at most u times its own result. The
// result of an addition with k leaves below it is at most M_k, the larger of the sum of the k largest positive terms and that
// of the k largest negative ones; terms of the other sign only make it smaller. Of the n − 1 additions the j-th largest, by
// leaves, has at most n − j + 1 of them: the largest is the root, and each further one lies beneath a larger one or apart from
// it. So, with a factor (1 + u)^(n − 1) ≤ 1 + γ for what the leaves have gained in earlier additions,
//
//   |error|  ≤  u · (1 + γ) · (M_2 + M_3 + … + M_n).
//
// A sequential sum of the largest terms first reaches it. It is never more than γ · Σ|t|, since M_k ≤ Σ|t|; it is half of that
// for terms of one size and sign, and 3/8 for as many of either sign.
//
// Where the sum is one of at most B runs of at most K terms, whichever these are, a node within a run has at most K leaves of its own, and each level of nodes has each
// term once: a run's j-th largest node has at most K − j + 1 leaves. So of the terms, sorted by size, 2·B are in at most K − 1 nodes of runs, the next B in K − 2, and so on
// to 1. The j-th node above the runs has at most (j + 1)·K leaves, and in a binary tree of such nodes each of its levels has each term once:
//
//   Σ |nodes in runs|     ≤  Σ_r w_r · |t|_(r),    w = K − 1 (2·B times), K − 2 (B times), …, 1
//   Σ |nodes above them|  ≤  M_{2K} + M_{3K} + … + M_n,    or  ⌈log2 B⌉ · Σ|t|  for a tree.
//
// Terms of both signs in even number gain nothing within a run, since all of a run may have one sign.
//
// The lemma is one of binary additions with a relative error. Units that add several products at once and truncate them
// together, and sums that are rescaled on the way, are not such trees.

/** Terms of a like size are taken together: sizes between two neighbours of this grid, four to an octave. */
const SHIFT = 21;
const BUCKETS = 1 << (31 - SHIFT);

/** How many terms of one sign there are of each size, their sum, and the largest of them. */
class Sizes {
  private readonly counts = new Uint32Array(BUCKETS);
  private readonly sums = new Float64Array(BUCKETS);
  private readonly largest = new Float64Array(BUCKETS);
  private low = BUCKETS;
  private high = -1;
  // While their sums are read, from the largest on:
  private at = 0;
  private left = 0;
  private rest = 0;
  private most = 0;

  add(bucket: number, size: number): void {
    this.counts[bucket]++;
    this.sums[bucket] += size;
    if (size > this.largest[bucket]) this.largest[bucket] = size;
    if (bucket < this.low) this.low = bucket;
    if (bucket > this.high) this.high = bucket;
  }

  begin(): void {
    this.at = this.high + 1;
    this.left = 0;
  }

  /** At most by how much the next largest term adds to those before it. */
  next(): number {
    if (this.left === 0 && !this.open()) return 0;
    this.left--;
    const most = this.rest < this.most ? this.rest : this.most;
    this.rest -= most;
    return most;
  }

  /** Goes on to the next smaller size of which there are terms. */
  private open(): boolean {
    while (this.at > this.low) {
      this.at--;
      this.left = this.counts[this.at];
      if (this.left === 0) continue;
      this.rest = this.sums[this.at];
      this.most = this.largest[this.at];
      return true;
    }
    return false;
  }

  clear(): void {
    // A call of `fill` costs more than these few stores.
    for (let bucket = this.low; bucket <= this.high; bucket++) {
      this.counts[bucket] = 0;
      this.sums[bucket] = 0;
      this.largest[bucket] = 0;
    }
    this.low = BUCKETS;
    this.high = -1;
  }
}

const cell = new Float32Array(1);
const pattern = new Uint32Array(cell.buffer);
const [above, below, either] = [new Sizes(), new Sizes(), new Sizes()];

/** Σ |nodes within runs|, at most: `runs` runs of up to `length` of these terms, given at their farthest from zero. */
export function nodesOfRuns(terms: readonly number[], length: number, runs: number): number {
  for (let i = 0; i < terms.length; i++) {
    const size = Math.abs(terms[i]);
    if (!(size > 0)) continue;
    cell[0] = size;
    either.add(pattern[0] >>> SHIFT, size);
  }
  either.begin();
  let total = 0;
  for (let place = 0; place < length; place++) {
    const nodes = Math.min(length - 1, length - place);
    let level = 0;
    for (let run = 0; run < runs; run++) level += either.next();
    if (level === 0) break;
    total += nodes * level;
  }
  either.clear();
  return total;
}

/**
 * M_2 + … + M_n of `count` terms, given at their farthest from zero; a term that may have either sign is given twice. With `step`, those of runs of so many
 * terms alone: M of 2, 3, … steps, and of all, which counts as often as `whole` says.
 */
export function nodesOf(terms: readonly number[], count: number, step = 1, whole = 1): number {
  for (let i = 0; i < terms.length; i++) {
    const t = terms[i]; // an iterator would take as long as all the rest
    const size = t < 0 ? -t : t;
    if (!(size > 0)) continue;
    cell[0] = size;
    (t < 0 ? below : above).add(pattern[0] >>> SHIFT, size);
  }
  above.begin();
  below.begin();
  let [positive, negative, total] = [above.next(), below.next(), 0];
  for (let k = 2; k <= count; k++) {
    positive += above.next();
    negative += below.next();
    if (step > 1 && k < count && (k <= step || k % step > 0)) continue;
    const most = positive > negative ? positive : negative;
    total += k === count ? whole * most : most;
  }
  above.clear();
  below.clear();
  return total;
}
