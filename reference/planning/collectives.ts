// Bytes that each rank sends in a collective over n ranks by ring algorithms (Thakur et al. 2005; Patarasuk and Yuan 2009):
//
//   all-gather, reduce-scatter   (n − 1) / n · bytes of the whole;   all-reduce = one after the other
export const ringCollectives = ["all-reduce", "all-gather", "reduce-scatter"] as const;
export type RingCollective = (typeof ringCollectives)[number];

/** `bytes`: of the whole tensor, as it stands before a scatter or after a gather. */
export function sentBytes(collective: RingCollective, bytes: number, ranks: number): number {
  const once = (bytes * (ranks - 1)) / ranks;
  return collective === "all-reduce" ? 2 * once : once;
}
