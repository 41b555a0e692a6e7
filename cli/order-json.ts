// Orders of summation as JSON, which `--sum tree:FILE` reads.
import type { Conclusion } from "../judge/conclusion.ts";
import type { Orders, SumOfOp } from "../judge/orders/orders.ts";
import { declarable, treeInWords, widthOf } from "../judge/orders/words.ts";
import { depthOf, type SumTree } from "../reference/sum-tree.ts";
import { finite } from "./run-json.ts";
import type { OrderOptions } from "./order-run.ts";
import { jsonText } from "./output.ts";
import { version } from "./version.ts";

/** A run of `touchstone order`. */
export interface OrderRun {
  readonly options: OrderOptions;
  readonly where: string;
  readonly results: readonly Orders[];
  readonly conclusion: Conclusion;
  readonly isInterrupted: boolean;
}

/** The text of the file. */
export function orderJson({ options, where, results, conclusion, isInterrupted }: OrderRun): string {
  const { dtype, budget, timeout, sizes } = options;
  return jsonText(
    {
      report: "touchstone order",
      version: version(),
      adapter: where,
      dtype,
      ...(budget === undefined ? {} : { budget }),
      ...(sizes === undefined ? {} : { sizes }),
      timeout,
      ...conclusion,
      interrupted: isInterrupted,
      kernels: results.map(({ sums, ...rest }) => ({ ...rest, sums: sums.map(sumJson) })),
    },
    finite,
  );
}

function sumJson({ trees, ...rest }: SumOfOp) {
  return { ...rest, trees: trees.map(({ tree, ...found }) => ({ ...found, ...shown(tree), tree })) };
}

function shown(tree: SumTree) {
  return { words: treeInWords(tree), depth: depthOf(tree), atOnce: widthOf(tree), declarable: declarable(tree) };
}
