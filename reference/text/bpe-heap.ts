// A queue of numbers, the least first: a binary heap in which no entry exceeds its children, heap[i] ≤ heap[2i+1], heap[2i+2].

export interface Heap {
  readonly size: number;
  push(key: number): void;
  /** Removes and returns the least key. The heap must not be empty. */
  pop(): number;
}

export function minHeap(): Heap {
  let keys = new Float64Array(64);
  let size = 0;
  return {
    get size() {
      return size;
    },
    push(key) {
      if (size === keys.length) {
        const larger = new Float64Array(size * 2);
        larger.set(keys);
        keys = larger;
      }
      let at = size++;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (keys[parent] <= key) break;
        keys[at] = keys[parent];
        at = parent;
      }
      keys[at] = key;
    },
    pop() {
      const least = keys[0];
      const last = keys[--size];
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && keys[child + 1] < keys[child]) child++;
        if (keys[child] >= last) break;
        keys[at] = keys[child];
        at = child;
      }
      keys[at] = last;
      return least;
    },
  };
}
