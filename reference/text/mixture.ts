// Training on several sources at once (Touvron et al. 2023, section 2.1 and table 1): which source each sequence comes from,
// and how documents become sequences.
//
//   source of sequence n   the one whose count is furthest below its share:  argmax over s of (n + 1) · share[s] − count[s]
//   order of an epoch      the documents, shuffled by (seed, source, epoch)
//   line of a source       begin, document, end, begin, document, end, … through epoch after epoch
//   sequence               the next T tokens of its source's line, and as targets each token's successor
//
// A count is less than 1 above its share of the sequences: a source is chosen only where (n + 1) · share > count.
import { integer, streamOf } from "../random.ts";
import type { Batch } from "../training/step.ts";

/** Documents, each in one or more parts, so that the longest need not lie in memory. */
export interface Documents {
  /** At least one. */
  readonly count: number;
  /** Tokens of part p of document d, begin and end tokens included, and whether another part follows. */
  part(d: number, p: number): { readonly tokens: Int32Array; readonly more: boolean };
}

export interface Source {
  readonly name: string;
  /** Weights may have any sum; shares are the weights divided by it. */
  readonly weight: number;
  readonly documents: Documents;
}

/** A place in a source's line. */
export interface Place {
  /** Epochs done. */
  readonly epoch: number;
  /** Documents of this epoch that are done. */
  readonly document: number;
  readonly part: number;
  /** Tokens of the part that are done. */
  readonly token: number;
}

/** The state from which a mixture continues with the same tokens. */
export interface MixtureState {
  /** By the sources' order: sequences drawn, and where the next one begins. */
  readonly sources: readonly ({ readonly name: string; readonly sequences: number } & Place)[];
}

export interface Mixture {
  /** The next B sequences of T tokens: [B, T]. */
  next(B: number): Batch;
  state(): MixtureState;
}

const BEGINNING: Place = { epoch: 0, document: 0, part: 0, token: 0 };

/** The weights divided by their sum. Throws RangeError for one that is below 0 or not finite, and for a sum of 0. */
export function sharesOf(sources: readonly Pick<Source, "name" | "weight">[]): number[] {
  let sum = 0;
  for (const { name, weight } of sources) {
    if (!(weight >= 0 && weight < Infinity)) {
      throw new RangeError(`source ${JSON.stringify(name)} has weight ${weight}, expected a number of at least 0`);
    }
    sum += weight;
  }
  if (!(sum > 0 && sum < Infinity)) throw new RangeError(`the weights sum to ${sum}, expected a number above 0`);
  return sources.map(({ weight }) => weight / sum);
}

/** The source that is furthest below its share after the counted sequences; the first of equals. */
export function nextSource(shares: readonly number[], counts: readonly number[]): number {
  const n = counts.reduce((a, b) => a + b, 0);
  let best = 0;
  for (let s = 1; s < shares.length; s++) {
    if ((n + 1) * shares[s] - counts[s] > (n + 1) * shares[best] - counts[best]) best = s;
  }
  return best;
}

/** The numbers 0 … count−1 in the order of an epoch (Fisher–Yates). */
export function epochOrder(count: number, seed: number, name: string, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const stream = streamOf(`documents of ${name} in epoch ${epoch}`);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(seed, stream, i, i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * A mixture from its beginning, or from a state of one with the same sources. Throws RangeError for weights that make no shares,
 * a source without documents, one whose documents hold no token, or a state of other sources.
 */
export function mixture(sources: readonly Source[], T: number, seed: number, from?: MixtureState): Mixture {
  const shares = sharesOf(sources);
  const names = sources.map(({ name }) => name);
  if (from !== undefined && from.sources.map(({ name }) => name).join("\n") !== names.join("\n")) {
    throw new RangeError(
      `the state is of sources ${from.sources.map(({ name }) => name).join(", ")}, expected ${names.join(", ")}`,
    );
  }
  const counts = sources.map((_, s) => from?.sources[s].sequences ?? 0);
  const lines = sources.map(({ name, documents }, s) => line(name, documents, seed, from?.sources[s] ?? BEGINNING));
  return {
    next(B) {
      const shape = [B, T];
      const tokens = new Int32Array(B * T);
      const targets = new Int32Array(B * T);
      for (let b = 0; b < B; b++) {
        const s = nextSource(shares, counts);
        counts[s]++;
        for (let t = 0; t < T; t++) tokens[b * T + t] = lines[s].take();
        targets.set(tokens.subarray(b * T + 1, (b + 1) * T), b * T);
        targets[(b + 1) * T - 1] = lines[s].peek();
      }
      return { tokens: { data: tokens, shape }, targets: { data: targets, shape } };
    },
    state: () => ({
      sources: names.map((name, s) => {
        const { epoch, document, part, token } = lines[s].place();
        return { name, sequences: counts[s], epoch, document, part, token };
      }),
    }),
  };
}

/** A source's tokens one after another, from a given place. */
function line(name: string, documents: Documents, seed: number, from: Place) {
  if (!(documents.count > 0)) throw new RangeError(`source ${JSON.stringify(name)} has no documents`);
  let { epoch, document, part, token } = from;
  if (!(document < documents.count)) {
    throw new RangeError(`source ${JSON.stringify(name)}: document ${document} of ${documents.count} documents`);
  }
  let order: Uint32Array | undefined;
  let current: ReturnType<Documents["part"]> | undefined;
  /** Documents since the last token. */
  let barren = 0;

  /** The part that holds the next token. */
  function tokens(): Int32Array {
    for (;;) {
      order ??= epochOrder(documents.count, seed, name, epoch);
      current ??= documents.part(order[document], part);
      if (token < current.tokens.length) {
        barren = 0;
        return current.tokens;
      }
      token = 0;
      if (current.more) part++;
      else {
        // From the first of one epoch to the last of the next.
        if (++barren > 2 * documents.count)
          throw new RangeError(`source ${JSON.stringify(name)}: its documents are empty`);
        part = 0;
        document++;
      }
      if (document === documents.count) {
        document = 0;
        epoch++;
        order = undefined;
      }
      current = undefined;
    }
  }
  return {
    take: () => tokens()[token++],
    peek: () => tokens()[token],
    place: (): Place => ({ epoch, document, part, token }),
  };
}
