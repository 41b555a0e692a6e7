// No list of data is spread into a call: an engine keeps a call's arguments on its stack, and some 120,000 overflow it.
import { expect, test } from "vitest";
import { spreadsIn, spreadsOf } from "./spreads.ts";

const rooms = ["reference", "formats", "zoo", "trace", "judge", "golden", "kernels-gpu", "training", "cli", "bench"];
const entries = ["index.ts", "node.ts", "vitest.ts", "webgpu.ts", "build.ts"];

/** Lists that are short whatever the input is: callee and list, with the reason. */
const short: readonly (readonly [callee: string, lists: readonly string[], reason: string])[] = [
  ["as", ["w.shape", "dw.shape", "a.shape", "a.attention.y.shape"], "axes of a weight or an activation: two or four"],
  ["recorded", ["shape", "shapes.get(name)!", "seen(axes, blockTensors[name].shape)"], "axes of a recorded tensor"],
  ["recorded", ["seen(axes, blockTensors[blockGradients[name].like].shape)", "seen(axes, shape)"], "the same"],
  ["recorded", ['shapes.get("tok_embeddings.weight")!'], "the same"],
  ["fc.constantFrom", ["edges", "parameters", "EPS", "bases", "layouts", "WAYS"], "values that are written out"],
  ["fc.constantFrom", ["names"], "axes of one op"],
  ["fc.constantFrom", ["spec.profiles"], "names of profiles"],
  ["String.fromCharCode", ["bytes", 'read.bytes(4, "the magic number")'], "at most nine bytes of a file's beginning"],
  ["String.fromCharCode", ["chunk"], "at most CHUNK + 1 code units"],
  ["a.either", ["[byLogarithm, direct].filter(({ error }) => error < Infinity)"], "forms of one quotient: two"],
  ["a.either", ["cubes.filter((form) => form.error < Infinity)"], "forms of one cube: three"],
  ["a.product", ["share"], "factors of one product: two"],
  ["a.product", ["factors"], "factors that the code writes out"],
  ["this.a.either", ["others"], "forms of σ: two quotients, one where they vanish, and two functions"],
  ["run.dispatch", ["[values] as unknown as [ByName<S, number>]"], "one argument, left out where there are no scalars"],
  ["programs[rank].next", ["answer"], "one argument or none"],
  ["issue.compute", ["after"], "tasks that one task of a block waits for"],
  ["issue.send", ["after"], "the same"],
  ["gather", ["from"], "the same"],
  ["reduce", ["from"], "the same"],
  ["of", ["numbers"], "arguments of a function of WGSL: at most three"],
  ["ofWhole", ["values"], "the same"],
  ["f", ["values as never[]"], "the same"],
  ["bytes", ["Object.values(op.inputs)", "outputs", "likes", "Object.values(activations)"], "tensors of one op"],
];

test("no list of data is spread into a call", () => {
  const allowed = new Set(short.flatMap(([callee, lists]) => lists.map((list) => `${callee}(...${list})`)));
  const found = [...rooms, ...entries].flatMap(spreadsOf);
  const used = new Set(found.map(({ callee, list }) => `${callee}(...${list})`));
  const stray = found.filter(({ callee, list }) => !allowed.has(`${callee}(...${list})`));
  expect(stray).toEqual([]);
  expect([...allowed].filter((entry) => !used.has(entry))).toEqual([]);
});

test.each(["Math.max(...row)", "list.push(1, ...more)", "new Uint8Array(...given)", "Math.max.apply(null, row)"])(
  "%s is found",
  (text) => {
    expect(spreadsIn("a.ts", `const x: number = ${text};`)).toHaveLength(1);
  },
);
