// Orders of summation that a kernel declares: how they are written, and where they apply.
import { quote } from "../formats/error.ts";
import { largest } from "../reference/lists.ts";
import { axesOf, type Inputs, type Operation, type Scalars } from "../reference/operation.ts";
import { inWords, refusal, type SumOrder } from "../reference/sum-order.ts";
import { checkTree, type SumTree } from "../reference/sum-tree.ts";
import type { Target } from "../reference/targets.ts";
import { nearestTo } from "../reference/nearest.ts";

/** Sums by name, "" for all of them, each with its order. */
export type Sums = Readonly<Record<string, SumOrder>>;

const kinds = ["blocked", "pairwise", "depth", "fused", "tree"] as const;
const EXPECTED = "expected blocked:K, pairwise, pairwise:L, depth:H, fused:K or tree:FILE";
/** No sum is longer. */
const MOST = 2 ** 31;

/** Reads the tree of a sum from a file. */
type ReadTree = (path: string, sum: string) => SumTree;

/** "blocked:64", or "dx=blocked:64,dw=pairwise" → each sum's order. Throws RangeError that names the word that is wrong. */
export function parseSums(list: string, readTree: ReadTree): Sums {
  const sums: Record<string, SumOrder> = Object.create(null);
  for (const word of list.split(",")) {
    const [, name = "", order] = /^(?:([\w-]*)=)?(.*)$/.exec(word)!;
    if (name in sums)
      throw new RangeError(`${name === "" ? "an order of all sums" : quote(name)} is declared twice, expected once`);
    sums[name] = parseOrder(order, readTree, name);
  }
  return sums;
}

/** "blocked:64" → the order. Throws RangeError. */
export function parseOrder(text: string, readTree?: ReadTree, name = ""): SumOrder {
  const [, word, colon, rest] = /^([^:]*)(:?)(.*)$/s.exec(text)!;
  const kind = kinds.find((one) => one === word);
  if (kind === undefined) throw new RangeError(`${quote(word)} is not an order, ${nearestTo(word, kinds)}${EXPECTED}`);
  if (kind === "tree") {
    if (rest === "")
      throw new RangeError(
        `${quote(text)} names no file, expected tree:FILE as \`touchstone order --json FILE\` writes it`,
      );
    if (readTree === undefined) throw new RangeError(`${quote(text)}: expected the tree itself, { terms, additions }`);
    return { kind, tree: readTree(rest, name) };
  }
  if (kind === "pairwise" && colon === "") return { kind, terms: 1 };
  const n = /^\d{1,10}$/.test(rest) ? Number(rest) : NaN;
  if (!(n >= 1 && n <= MOST))
    throw new RangeError(`${quote(text)}: expected ${kind}: and a whole number from 1 to ${MOST}`);
  return kind === "depth" ? { kind, additions: n } : { kind, terms: n };
}

/** A tree as it was given. Throws TypeError or RangeError unless each term is added exactly once. */
export function treeOrder(tree: unknown): SumOrder {
  checkTree(tree);
  return { kind: "tree", tree };
}

/** Those that have a sum: others ignore every order. */
export function withSums(chosen: readonly Operation[]): Operation[] {
  return chosen.filter(({ sums }) => Object.keys(sums).length > 0);
}

/**
 * The target with the kernel's declarations. Throws RangeError where one of the ops has no such sum, or the target adds in another way.
 */
export function declareSums(target: Target, sums: Sums, operations: readonly Operation[]): Target {
  const known = new Set(operations.flatMap((op) => Object.keys(op.sums)));
  const { "": common, ...own } = sums;
  for (const { name, sums: its, none } of operations) {
    if (Object.keys(its).length === 0)
      throw new RangeError(`${name} has no sum whose order could be declared: ${none["sums"] ?? "none"}`);
  }
  for (const [name, order] of Object.entries(sums)) {
    if (name !== "" && !known.has(name))
      throw new RangeError(
        `${quote(name)} is not a sum of these ops, ${nearestTo(name, [...known])}expected one of ${[...known].join(", ")}`,
      );
    const why = refusal(order, target);
    if (why !== undefined) throw new RangeError(`${inWords(order)}: ${why}`);
  }
  const all = common === undefined ? {} : Object.fromEntries([...known].map((name) => [name, common]));
  return { ...target, sums: { ...target.sums, ...all, ...own } };
}

/** "the declared order blocked:64", "the declared orders dx=blocked:64, dw=pairwise"; undefined without one. */
export function declaredOrder({ sums = {} }: Target, { sums: own }: Pick<Operation, "sums">): string | undefined {
  const orders = Object.keys(own).flatMap((name) => (sums[name] === undefined ? [] : [[name, inWords(sums[name])]]));
  if (orders.length === 0) return undefined;
  const isOne = orders.length === Object.keys(own).length && new Set(orders.map(([, order]) => order)).size === 1;
  if (isOne) return `the declared order ${orders[0][1]}`;
  return `the declared ${orders.length === 1 ? "order" : "orders"} ${orders.map(([name, order]) => `${name}=${order}`).join(", ")}`;
}

/** For each sum with a declared tree, whether the tree has as many terms as the sums of a problem. */
export function fittingTrees(
  target: Target,
  operation: Operation,
  problem: { readonly inputs: Inputs; readonly scalars: Scalars },
): Readonly<Record<string, boolean>> | undefined {
  const trees = Object.keys(operation.sums).flatMap((name) => {
    const order = target.sums?.[name];
    return order?.kind === "tree" ? [[name, order.tree.terms] as const] : [];
  });
  if (trees.length === 0) return undefined;
  const { sumLengths = {} } = withLengths(target, operation, problem);
  return Object.fromEntries(trees.map(([name, terms]) => [name, sumLengths[name] === terms]));
}

/** How many cases there were, and in how many of them a declared tree had as many terms as its sum: any order was allowed in the others. */
export interface TreeUse {
  readonly cases: number;
  readonly fitting: number;
}

/** Adds a case. */
export function countTrees(uses: Record<string, TreeUse>, fits: Readonly<Record<string, boolean>>): void {
  for (const [sum, isFitting] of Object.entries(fits)) {
    const { cases, fitting } = uses[sum] ?? { cases: 0, fitting: 0 };
    uses[sum] = { cases: cases + 1, fitting: fitting + Number(isFitting) };
  }
}

/** Each declared sum with its order in words. */
export function sumsInWords({ sums = {} }: Target): Record<string, string> {
  return Object.fromEntries(Object.entries(sums).map(([name, order]) => [name, inWords(order)]));
}

/**
 * The target with the lengths of the sums whose order is declared, which are those of the whole problem where it is cut. The parts of a fused op
 * have lengths of their own.
 */
export function withLengths(
  target: Target,
  operation: Operation,
  { inputs, scalars }: { readonly inputs: Inputs; readonly scalars: Scalars },
): Target {
  if (target.sums === undefined || target.sumLengths !== undefined || "parts" in operation) return target;
  const lengths = new Map<string, number>();
  for (const [name, kind] of Object.entries(operation.scalars))
    if (kind === "axis") lengths.set(name, Number(scalars[name]));
  for (const [name, spec] of Object.entries(operation.inputs))
    axesOf(spec).forEach((axis, i) => lengths.set(axis, inputs[name].shape[i]));
  const product = (over: string): number =>
    over.split("·").reduce(
      (n, factor) =>
        n *
        factor
          .split("/")
          .map((axis) => lengths.get(axis)!)
          .reduce((a, b) => a / b),
      1,
    );
  const sumLengths = Object.fromEntries(
    Object.entries(operation.sums).map(([name, { over }]) => [name, largest(over.map(product))]),
  );
  return { ...target, sumLengths };
}
