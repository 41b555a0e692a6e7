// A candidate that cannot do a size that was not excluded: the finding says which sizes it could do, as terms of --sizes.
import { describe, expect, it } from "vitest";
import { judge, ops } from "../../index.ts";
import { choose } from "../../judge/choose.ts";
import { tellingSizes } from "../../judge/sizes/supported.ts";
import { axesOf } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";

type Lengths = Readonly<Record<string, number>>;

/** A right kernel that throws where it does not support the lengths of the first input's axes. */
async function findingOf<Op extends "linear.forward" | "attention.forward" | "rope.forward">(
  op: Op,
  supports: (lengths: Lengths) => boolean,
  sizes?: string,
): Promise<string> {
  const { reference } = ops[op];
  const specs = operations.get(op)!.inputs;
  const kernel = (inputs: never, scalars: never): never => {
    const lengths: Record<string, number> = {};
    for (const [name, spec] of Object.entries(specs)) {
      const { shape } = (inputs as Record<string, { readonly shape: readonly number[] }>)[name];
      axesOf(spec).forEach((axis, i) => (lengths[axis] = shape[i]));
    }
    if (!supports({ ...lengths, ...(scalars as Lengths) })) throw new Error("not supported");
    return (reference as (inputs: never, scalars: never) => never)(inputs, scalars);
  };
  const { findings } = await judge(op, kernel as never, {
    runs: 5,
    seed: 3,
    ...(sizes === undefined ? {} : { sizes }),
  });
  return findings[0] ?? "";
}

it("the sizes that are tried to tell are such as the op has", () => {
  for (const { spec } of choose([])) {
    for (const { sizes } of spec.examples.slice(0, 6)) {
      for (const telling of tellingSizes(sizes, spec.large)) {
        if ((spec.large?.work(telling) ?? 0) > 1e6) continue;
        expect(() => spec.build(telling, "unit", 1)).not.toThrow();
      }
    }
  }
});

describe("a kernel that throws at some sizes", () => {
  it.each([
    ["linear.forward", (n: Lengths) => n.C % 8 === 0, "C%8=0"],
    ["linear.forward", (n: Lengths) => n.R <= 4, "R<=4"],
    ["linear.forward", (n: Lengths) => n.O % 64 === 0, "O%64=0"],
    ["attention.forward", (n: Lengths) => n.HS <= 128, "HS<=128"],
    ["attention.forward", (n: Lengths) => n.B <= 1, "B<=1"],
  ] as const)("%s, %s: %s", async (op, supports, term) => {
    expect(await findingOf(op, supports)).toContain(`no others: --sizes '${term}' if`);
  });

  it("keeps the terms that were given, and replaces one of the same kind", async () => {
    const finding = await findingOf("attention.forward", (n) => n.HS <= 64, "B<=2 HS<=128");
    expect(finding).toContain("--sizes 'B<=2 HS<=64' if");
  });

  it("names --sizes where no single term tells the sizes apart", async () => {
    const finding = await findingOf("linear.forward", (n) => n.C % 8 === 0 && n.O % 8 === 0);
    expect(finding).toContain("--sizes states what a kernel supports");
  });

  it("says nothing of sizes where none could be done", async () => {
    expect(await findingOf("linear.forward", () => false)).not.toContain("--sizes");
  });
});
