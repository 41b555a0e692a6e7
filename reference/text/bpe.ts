// Byte-pair encoding (Sennrich et al. 2016) as sentencepiece does it: of all neighbours whose joined text is a piece, those
// whose piece has the highest score are joined first, the leftmost of equal scores; until none is left.
//
// A queue holds (place of the score, position) as one number, so n symbols take O(n log n). An entry is out of date when
// the merge at its position has another place by then.
import { type Heap, minHeap } from "./bpe-heap.ts";
import type { Symbols } from "./bpe-symbols.ts";

/** Called with every merge that becomes possible, in order. */
export type Noted = (merged: number, left: number, right: number) => void;

export interface Merger {
  /**
   * Joins the first `length` symbols of `sequence`; numbers that are not symbols merge with nothing. Returns how many are
   * left; they are at the start of the sequence.
   */
  run(sequence: Int32Array, length: number): number;
}

/** Positions fit below; so do 2²¹ places above. */
const PLACE = 4_294_967_296; // 2³²

/** Merges again and again with the same working memory. */
export function merger({ merge, place }: Symbols, noted?: Noted): Merger {
  const queue: Heap = minHeap();
  let next = new Int32Array(64);
  let previous = new Int32Array(64);
  /** The symbol that this one and the next would become; −1 if they do not merge. */
  let merged = new Int32Array(64);

  function propose(sequence: Int32Array, at: number): void {
    const right = next[at];
    merged[at] = right < 0 ? -1 : merge(sequence[at], sequence[right]);
    if (merged[at] < 0) return;
    queue.push(place[merged[at]] * PLACE + at);
    noted?.(merged[at], sequence[at], sequence[right]);
  }

  return {
    run(sequence, length) {
      if (length < 2) return length;
      if (length > next.length) {
        const size = Math.max(length, next.length * 2);
        [next, previous, merged] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
      }
      for (let i = 0; i < length; i++) {
        previous[i] = i - 1;
        next[i] = i + 1 < length ? i + 1 : -1;
      }
      for (let i = 0; i < length; i++) propose(sequence, i);
      while (queue.size > 0) {
        const key = queue.pop();
        const at = key % PLACE;
        if (merged[at] < 0 || place[merged[at]] !== (key - at) / PLACE) continue;
        const gone = next[at];
        sequence[at] = merged[at];
        next[at] = next[gone];
        if (next[at] >= 0) previous[next[at]] = at;
        merged[gone] = -1;
        if (previous[at] >= 0) propose(sequence, previous[at]);
        propose(sequence, at);
      }
      let left = 0;
      for (let at = 0; at >= 0; at = next[at]) sequence[left++] = sequence[at];
      return left;
    },
  };
}
