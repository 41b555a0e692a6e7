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
const [above, below] = [new Sizes(), new Sizes()];

/** M_2 + … + M_n of `count` terms, given at their farthest from zero; a term that may have either sign is given twice. */
export function nodesOf(terms: readonly number[], count: number): number {
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
    total += positive > negative ? positive : negative;
  }
  above.clear();
  below.clear();
  return total;
}
