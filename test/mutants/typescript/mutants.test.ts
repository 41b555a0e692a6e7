import { expect, test } from "vitest";
import { mutantsOf, sourceFiles, textOf } from "./files.ts";
import { FileJudge } from "./judge.ts";
import { explanationOf } from "../results.ts";
import { explainedIn } from "./store.ts";

const files = sourceFiles();
const fileOf = (name: string) => files.find(({ path }) => path === `reference/ops/${name}`)!;

test("each file of a formula or a bound belongs to an op, and each explanation to a mutant", () => {
  for (const { path, stem } of files) {
    expect(stem, path).toBeDefined();
    const [text, explained] = [textOf(path), explainedIn(path)];
    if (explained.length === 0) continue;
    const found = new Set(mutantsOf(text).map((mutant) => explanationOf(mutant, text, explained)));
    expect(
      explained.filter((one) => !found.has(one)),
      path,
    ).toEqual([]);
  }
});

test("operators change what they say, and no words", () => {
  const mutants = mutantsOf(textOf("reference/ops/rmsnorm.bound.ts"));
  const found = mutants.map(({ operator, what }) => `${operator}: ${what}`);
  for (const line of [
    "bound: C → C + 1",
    "step: c++ → c += 2",
    "member: error → value",
    "form dropped: inside.total(), a.multiply(s, bare) → inside.total()",
    "factor dropped: row[c], scale, gain → row[c], gain",
    "factor dropped: r * C → C",
    "function: inverseSqrt → sqrt",
    "constant: 2 → 4",
    "condition: C === 0 → false",
  ]) {
    expect(found).toContain(line);
  }
  expect(mutants.filter(({ what }) => /covered|summary/.test(what))).toEqual([]);
});

test("mutants of the sum of two tensors and of its bound meet their ends", async () => {
  const fate = async (name: string, from: string, to: string): Promise<string> => {
    const [file, text] = [fileOf(name), textOf(`reference/ops/${name}`)];
    expect(text.split(from), `${name} has ${from} once`).toHaveLength(2);
    return (await FileJudge.of(file)).fateOf(text.replace(from, to), false);
  };
  expect(await fate("add.ts", "a.data[i] + b.data[i]", "a.data[i] - b.data[i]")).toBe("k");
  expect(await fate("add.ts", "a.data[i] + b.data[i]", "a.data[i] + b.data[")).toBe("c");
  expect(await fate("add.ts", "i++", "i += 0")).toBe("t");
  expect(await fate("add.bound.ts", "bAt(i)).error", "bAt(i)).error / 2")).toBe("k");
  expect(await fate("add.bound.ts", "bAt(i)).error", "bAt(i)).error * 2")).toBe("w");
  expect(await fate("add.bound.ts", "expected [${a.shape}]", "expected [${b.shape}]")).toBe("h");
  expect(await fate("add.bound.ts", "aAt(i), bAt(i)", "bAt(i), aAt(i)")).toBe("n");
});
