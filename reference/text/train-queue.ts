// A priority queue: a binary heap in which no entry comes before its parent.

export interface Queue<T> {
  push(entry: T): void;
  /** Removes and returns the entry that comes before all others; undefined if there is none. */
  pop(): T | undefined;
}

export function queue<T>(before: (a: T, b: T) => boolean): Queue<T> {
  const entries: T[] = [];

  function settle(entry: T, from: number): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && before(entries[child + 1], entries[child])) child++;
      if (!before(entries[child], entry)) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = entry;
  }
  return {
    push(entry) {
      let at = entries.push(entry) - 1;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (!before(entry, entries[parent])) break;
        entries[at] = entries[parent];
        at = parent;
      }
      entries[at] = entry;
    },
    pop() {
      const [first] = entries;
      const last = entries.pop();
      if (last !== undefined && entries.length > 0) settle(last, 0);
      return first;
    },
  };
}
