// Orders in which an evaluation adds.
import type { Id, Tape } from "./tape.ts";

/** falling: the terms of the heavier sign first, the largest before the others: node k of the chain is M_k, the worst there is. */
export const orderNames = ["sequential", "falling", "rising", "pairwise", "blocked"] as const;
export type Orders = (typeof orderNames)[number];

export function orderly(t: Tape, terms: readonly Id[], order: Orders): Id {
  const value = (i: Id): number => t.values[i];
  switch (order) {
    case "sequential":
      return t.chain(terms);
    case "rising":
      return t.chain(terms.toSorted((a, b) => Math.abs(value(a)) - Math.abs(value(b))));
    case "falling": {
      const side = terms.reduce((total, i) => total + value(i), 0) < 0 ? -1 : 1;
      return t.chain(terms.toSorted((a, b) => side * (value(b) - value(a))));
    }
    case "pairwise":
      return pairwise(t, terms);
    case "blocked": {
      const blocks: Id[] = [];
      for (let i = 0; i < terms.length; i += 64) blocks.push(t.chain(terms.slice(i, i + 64)));
      return t.chain(blocks);
    }
  }
}

function pairwise(t: Tape, terms: readonly Id[]): Id {
  if (terms.length <= 2) return t.chain(terms);
  const middle = Math.ceil(terms.length / 2);
  return t.add(pairwise(t, terms.slice(0, middle)), pairwise(t, terms.slice(middle)));
}
