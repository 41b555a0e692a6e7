// Sizes of attention that every check tries: kernels are made for each head size, for one query with a cache, for pieces of a prompt.
import { HEAD_SIZES } from "./large.ts";

const ONE = { B: 1, NKV: 1, groups: 1 };

/** A kernel is compiled for each head size: all of them are tried, with more than one tile of queries and keys. */
export const eachHeadSize = (T: number) => HEAD_SIZES.map((HS) => ({ sizes: { ...ONE, T, S: T + 1, HS } }));

/** Several batches and heads with a long cache. */
export const cached = { sizes: { B: 2, NKV: 2, groups: 2, T: 2, S: 1030, HS: 64 } };
/** One query with a cache that is just as long as splits of it, and one key longer: the last keys have the most weight. */
export const decoding = [4096, 4097].map((S) => {
  return { sizes: { B: 1, NKV: 2, groups: 4, T: 1, S, HS: 64 }, profile: "sorted" as const };
});
/** Queries in pieces: more than a tile of them, after a cache. */
export const piece = (T: number, S: number) => ({ sizes: { ...ONE, T, S, HS: 64 } });
