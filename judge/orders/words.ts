// A tree of additions in words: "64 runs of 64 terms in turn; their sums in turn".
import { largest } from "../../reference/lists.ts";
import { depthOf, type SumTree } from "../../reference/sum-tree.ts";

/** So deep are trees described that have no simple form. */
const MOST_LEVELS = 3;

/** How a tree adds its terms. */
export function treeInWords(tree: SumTree): string {
  return new Words(tree).of(tree.terms + tree.additions.length - 1, MOST_LEVELS);
}

/** The most numbers that are added at once; two in a tree of additions. */
export function widthOf({ additions }: SumTree): number {
  return largest(additions.map((parts) => parts.length));
}

/** The orders that `--sum` takes and that the tree has, the narrowest first. */
export function declarable(tree: SumTree): string[] {
  const { terms: n, additions } = tree;
  if (additions.some((parts) => parts.length > 2)) return [];
  const depth = depthOf(tree);
  const isPairwise = depth === Math.ceil(Math.log2(n));
  const K = new Words(tree).runLength();
  return [...(isPairwise ? ["pairwise"] : []), ...(K === undefined ? [] : [`blocked:${K}`]), `depth:${depth}`];
}

class Words {
  private readonly tree: SumTree;
  private readonly leaves: Uint32Array;
  /** Trees of one shape have one number, whatever the order of a sum's two operands. */
  private readonly shapes: Uint32Array;
  private readonly first: Uint32Array;

  constructor(tree: SumTree) {
    const { terms: n, additions } = tree;
    const count = n + additions.length;
    this.tree = tree;
    this.leaves = new Uint32Array(count).fill(1, 0, n);
    this.shapes = new Uint32Array(count);
    this.first = Uint32Array.from({ length: count }, (_, i) => i);
    const known = new Map<string, number>();
    for (const [k, parts] of additions.entries()) {
      const key = parts
        .map((i) => this.shapes[i])
        .toSorted((a, b) => a - b)
        .join();
      known.set(key, known.get(key) ?? known.size + 1);
      this.shapes[n + k] = known.get(key)!;
      for (const i of parts) this.leaves[n + k] += this.leaves[i];
      this.first[n + k] = this.first[parts.reduce((a, b) => (this.first[a] <= this.first[b] ? a : b))];
    }
  }

  of(node: number, levels: number): string {
    const size = this.leaves[node];
    if (size === 1) return "1 term";
    const tree = this.halves(node);
    if (tree !== undefined) return this.ofParts(tree, "pairwise", levels);
    const chain = this.chain(node);
    if (chain !== undefined) return this.ofParts(chain, "in turn", levels);
    const fused = this.fused(node);
    if (fused !== undefined) return fused;
    if (levels === 0) return `${size} terms, otherwise`;
    const parts = this.partsOf(node).map((part) => `(${this.of(part, levels - 1)})`);
    return `${size} terms, the sum of ${parts.join(" and ")}`;
  }

  /** K, where the sum is one of runs of up to K terms in turn, whose sums are added in turn. */
  runLength(): number | undefined {
    const { terms: n, additions } = this.tree;
    const chain = this.chain(n + additions.length - 1);
    if (chain === undefined) return undefined;
    const isRun = (part: number): boolean => this.leaves[part] === 1 || this.chain(part)?.every((i) => i < n) === true;
    const longest = largest(chain.map((part) => this.leaves[part]));
    return chain.every(isRun) && longest > 1 ? longest : undefined;
  }

  private partsOf(node: number): readonly number[] {
    return this.tree.additions[node - this.tree.terms] ?? [];
  }

  /** Equal parts whose sums are added in a binary tree of equal halves, or one of single terms whose halves are nearly equal. */
  private halves(node: number): number[] | undefined {
    let parts = [node];
    for (;;) {
      const next = parts.flatMap((part) => this.partsOf(part));
      const isEven =
        next.length === 2 * parts.length && next.every((part) => this.shapes[part] === this.shapes[next[0]]);
      if (!isEven) break;
      parts = next;
    }
    if (parts.length > 2) return parts;
    return this.isHalved(node) ? this.termsOf(node) : undefined;
  }

  private isHalved(node: number): boolean {
    const open = [node];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const parts = this.partsOf(at);
      if (parts.length === 0) continue;
      if (parts.length > 2 || Math.abs(this.leaves[parts[0]] - this.leaves[parts[1]]) > 1) return false;
      open.push(parts[0], parts[1]);
    }
    return this.leaves[node] > 3;
  }

  /**
   * The parts that are added one after another, the first one first: each of the same shape, but for one of them, which is shorter. Undefined where they are of several
   * shapes.
   */
  private chain(node: number): number[] | undefined {
    const added: number[] = [];
    let rest = node;
    for (;;) {
      const parts = this.partsOf(rest);
      if (parts.length !== 2) break;
      const [a, b] = this.leaves[parts[0]] >= this.leaves[parts[1]] ? parts : [parts[1], parts[0]];
      const usual = added[1] ?? added[0];
      if (usual !== undefined && this.shapes[rest] === this.shapes[usual]) break;
      added.push(b);
      rest = a;
    }
    const list = [rest, ...added.toReversed()];
    const usual = this.shapes[list.length > 2 ? list[1] : list[0]];
    const odd = list.filter((part) => this.shapes[part] !== usual);
    const isShorter =
      odd.length === 0 || (odd.length === 1 && this.leaves[odd[0]] < this.leaves[list.length > 2 ? list[1] : list[0]]);
    return list.length > 2 && isShorter ? list : undefined;
  }

  /** The sum so far and K terms at once. */
  private fused(node: number): string | undefined {
    const { terms: n } = this.tree;
    const widths = new Set<number>();
    let steps = 0;
    let rest = node;
    while (rest >= n) {
      const parts = this.partsOf(rest);
      const sums = parts.filter((part) => part >= n);
      if (sums.length > 1) return undefined;
      widths.add(parts.length - sums.length);
      steps++;
      if (sums.length === 0) break;
      [rest] = sums;
    }
    const K = largest([...widths]);
    return K < 2 ? undefined : `${this.leaves[node]} terms, ${K} and the sum so far at once, ${steps} times`;
  }

  private termsOf(node: number): number[] {
    const terms: number[] = [];
    const open = [node];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (at < this.tree.terms) terms.push(at);
      else for (const part of this.partsOf(at)) open.push(part);
    }
    return terms;
  }

  private ofParts(parts: readonly number[], how: "in turn" | "pairwise", levels: number): string {
    const { terms: n } = this.tree;
    const usual = parts.length > 2 ? parts[1] : parts[0];
    if (parts.every((part) => part < n)) return `${parts.length} terms ${how}${directionOf(parts, how)}`;
    const odd = parts.find((part) => this.shapes[part] !== this.shapes[usual]);
    const one = this.of(usual, levels);
    const count = parts.length - (odd === undefined ? 0 : 1);
    const rest = odd === undefined ? "" : ` and one of ${this.of(odd, levels)}`;
    return `${count} ${this.kindOf(usual)} of ${one}${rest}; their sums ${how}`;
  }

  /** Runs have neighbouring terms, lanes every q-th one. */
  private kindOf(part: number): string {
    const terms = this.termsOf(part).toSorted((a, b) => a - b);
    const steps = new Set(terms.slice(1).map((t, k) => t - terms[k]));
    if (steps.size > 1) return "parts";
    const [step = 1] = steps;
    return step === 1 ? "runs" : `lanes of every ${ordinal(step)} term, each`;
  }
}

/** Whether terms that are added one after another are in the order of their numbers. */
function directionOf(terms: readonly number[], how: string): string {
  if (how !== "in turn" || terms.length < 3) return "";
  const steps = terms.slice(2).map((t, k) => t - terms[k + 1]); // the first two may be either way round
  if (steps.every((step) => step > 0)) return "";
  return steps.every((step) => step < 0) ? ", the last one first" : ", in an order of their own";
}

function ordinal(n: number): string {
  const word = n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${word}`;
}
