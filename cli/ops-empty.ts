// What outputs are where an axis is 0, as the op itself says: sums of nothing, and queries without keys.
import type { Chosen } from "../judge/choose.ts";
import { emptyAxes } from "../judge/large.ts";

/** Such as "S = 0: y = 0, lse = −∞"; a line for each way of being empty that leaves some output elements. */
export function emptyLines({ operation, spec }: Chosen): string[] {
  const lines = spec.examples.flatMap(({ sizes }) => {
    const axes = emptyAxes(spec, sizes);
    if (axes.length === 0) return [];
    const { inputs, scalars } = spec.build(sizes, "unit", 1);
    const given = Object.entries(operation.evaluate(inputs, scalars, Float64Array)).flatMap(([output, { data }]) => {
      const values = [...new Set(data)];
      return values.length === 1 ? [`${output} = ${values[0] === -Infinity ? "−∞" : values[0]}`] : [];
    });
    return given.length === 0 ? [] : [`${axes.map((axis) => `${axis} = 0`).join(", ")}: ${given.join(", ")}`];
  });
  return [...new Set([...lines, ...(unseen[operation.name] ?? [])])];
}

/** Queries before the first key, where there are more queries than keys (docs/protocol.md). */
const unseen: Readonly<Record<string, readonly string[]>> = {
  "attention.forward": ["a query that sees no key, where T > S: y = 0, lse = −∞"],
  "attention.backward": ["a query that sees no key, where T > S: dq = 0, and nothing of it in dk and dv"],
};
