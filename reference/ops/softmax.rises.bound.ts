// How often a running maximum can still rise after an element, in any order, any tiling and any tree of lanes. Softmax, cross-entropy
// and attention need it: each rise rescales the sums by an exponential that errs, and with it every term that they hold.
//
// A term begins as e^(x − m) for some maximum m ≥ x, and the maxima that it meets afterwards are elements of the row, each greater than the one
// before. So it is rescaled by at most as many exponentials as there are greater elements.
//
// A rescaling without a rise has the argument m − m, which is exactly 0. Where the target promises e⁰ = 1 (`expOfZero`) its factor is 1, and the product
// rounds nothing: only the rises count. Elsewhere e⁰ errs like every other exponential, at the end of every block and at every merge.

/** For each element, how many others may be greater: those whose interval reaches above its own lower end; without errors, different values. */
export function risesAfter(values: ArrayLike<number>, errors?: ArrayLike<number>): Uint32Array {
  const errorAt = (i: number): number => errors?.[i] ?? 0;
  const sorted = Float64Array.from(values, (x, i) => x + errorAt(i)).toSorted();
  const highest = errors === undefined ? sorted.filter((x, i) => i === 0 || x !== sorted[i - 1]) : sorted; // 0 and −0 are equal
  return Uint32Array.from(values, (x, i) => {
    const lowest = x - errorAt(i);
    const above = highest.length - firstAbove(highest, lowest);
    return x + errorAt(i) > lowest ? above - 1 : above; // it is none of the others
  });
}

/** The index of the first number of an ascending list that is greater than x; the length of the list if none is. */
function firstAbove(ascending: Float64Array, x: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
