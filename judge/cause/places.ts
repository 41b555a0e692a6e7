// Places in tensors: along one axis, and where a number lies under another order of axes.

/** The place along an axis of a flat index. */
export function placeOf(i: number, shape: readonly number[], axis: number): number {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  return Math.floor(i / inner) % shape[axis];
}

/** Where a number lies that was written as if the axes a and b were the other way round. */
export function exchanged(i: number, shape: readonly number[], a: number, b: number): number {
  const order = shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  const lengths = order.map((axis) => shape[axis]);
  const places: number[] = [];
  let rest = i;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    places[order[axis]] = rest % lengths[axis];
    rest = Math.floor(rest / lengths[axis]);
  }
  return places.reduce((flat, place, axis) => flat * shape[axis] + place, 0);
}
