// Counts in words.

/** "1 kernel", "2 kernels"; "1 batch", "2 batches" where the plural is given. */
export function counted(count: number, one: string, plural = `${one}s`): string {
  return `${count} ${count === 1 ? one : plural}`;
}
