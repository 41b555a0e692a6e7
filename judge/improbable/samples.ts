// The sizes of sums of which only samples are known: some rows and columns of an output.

/** A row or column of fewer samples says nothing of its own. */
const FEW = 8;

/** √Σt² of each sample, roughly: the root mean squares of its row and of its column among the samples. `at`: flat indices; `width`: the length of a row. */
export function sizesOfSamples(at: readonly number[], want: ArrayLike<number>, width: number): number[] {
  const [rows, columns, all] = [new Map<number, Mean>(), new Map<number, Mean>(), new Mean()];
  const of = (means: Map<number, Mean>, key: number): Mean => {
    const mean = means.get(key) ?? new Mean();
    means.set(key, mean);
    return mean;
  };
  const places = at.map((i) => [of(rows, Math.floor(i / width)), of(columns, i % width)] as const);
  at.forEach((_, n) => {
    for (const mean of [...places[n], all]) mean.add(want[n] ** 2);
  });
  const known = (mean: Mean): number => (mean.count < FEW ? all : mean).value;
  return places.map(([row, column]) => Math.sqrt((known(row) * known(column)) / all.value));
}

class Mean {
  count = 0;
  private sum = 0;

  add(x: number): void {
    this.count++;
    this.sum += x;
  }

  get value(): number {
    return this.sum / this.count;
  }
}
