// Sizes that a kernel supports: what the words mean, that every case obeys them, and what is said of the rest.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check } from "../../judge/check.ts";
import { choose, type Chosen } from "../../judge/choose.ts";
import { arbitraryCase, exampleCases, type Sizes } from "../../judge/case.ts";
import { largeCases } from "../../judge/large.ts";
import { precisionProbes } from "../../judge/probes.ts";
import { lengthsOf } from "../../judge/relations/relation.ts";
import { Ladder } from "../../judge/sizes/ladder.ts";
import type { ModelCase } from "../../judge/sizes/model.ts";
import { obeys, parseSizes } from "../../judge/sizes/language.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import { judge, ops } from "../../index.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { candidate } from "./candidates.ts";

const all = choose([]);
const one = (op: string): Chosen => choose([op])[0];

/** The sizes of everything that a check gives to a candidate, as its tensors and scalars show them. */
async function seen(chosen: Chosen, seed: number, runs: number, dtype: "float32" | "bfloat16" = "float32") {
  const { operation } = chosen;
  const shapes: Sizes[] = [];
  const spy = candidate((inputs, scalars) => {
    const lengths = Object.fromEntries(lengthsOf(operation, { inputs, scalars }));
    const halves = Object.entries(lengths).filter(([name]) => name.endsWith("/2"));
    const heads = lengths.NKV > 0 ? { groups: lengths.NH / lengths.NKV } : {};
    shapes.push({
      ...scalars,
      ...Object.fromEntries(halves.map(([name, n]) => [name.slice(0, -2), 2 * n])),
      ...lengths,
      ...heads,
    });
    return operations.get(operation.name)!.evaluate(inputs, scalars, Float32Array);
  });
  const checked = await check(chosen, spy, { target: targets.ieee, dtype }, { runs, seed });
  return { shapes, checked };
}

/** Lengths that tile, ranges, few lengths and equal axes, of the axes of one op. */
function termsOf({ operation, spec }: Chosen): fc.Arbitrary<string> {
  const axes = Object.keys(spec.large!.axes);
  const specs = Object.values({ ...operation.inputs, ...operation.outputs }).join();
  const of = (name: string): fc.Arbitrary<string> => {
    const even = specs.includes(`${name}/2`) ? 2 : 1;
    const n = fc.integer({ min: 1, max: 40 }).map((x) => even * x);
    return fc.oneof(
      n.map((x) => `${name}%${x}=0`),
      n.map((x) => `${name}<=${x}`),
      n.map((x) => `${name}>=${x}`),
      fc.tuple(n, n).map(([x, y]) => (x === y ? `${name}=${x}` : `${name}=${x},${y}`)),
      fc.tuple(n, n).map(([x, y]) => `${name}>${x} ${name}<${x + y + even}`),
    );
  };
  const oneOf = fc.constantFrom(...axes).chain(of);
  if (axes.length < 2) return oneOf;
  const equal = fc.shuffledSubarray(axes, { minLength: 2, maxLength: 2 }).map(([a, b]) => `${a}=${b}`);
  const some = fc.subarray(axes, { minLength: 1 }).chain((names) => fc.tuple(...names.map(of)));
  return fc.oneof(
    oneOf,
    equal,
    some.map((list) => list.join(" ")),
    fc.tuple(equal, oneOf).map((list) => list.join(" ")),
  );
}

/** The op kept to the terms; undefined where they leave nothing, or nothing small enough. */
function keptTo(chosen: Chosen, text: string): Chosen | undefined {
  try {
    return chosenWithin([chosen], text)[0];
  } catch (error) {
    expect(String(error)).toMatch(/^RangeError: sizes: (no .* is left|the smallest case)/);
    return undefined;
  }
}

function expectObeyed(chosen: Chosen, text: string, list: readonly Sizes[]): void {
  const terms = parseSizes(text, Object.keys(chosen.spec.sizes));
  for (const sizes of list) {
    for (const term of terms) {
      // Inputs do not show every size: how many heads a group has where there is none, say.
      if (!(term.name in sizes) || (term.kind === "equals" && !(term.other in sizes))) continue;
      if (!obeys(term, sizes)) expect.fail(`${chosen.operation.name} ${JSON.stringify(sizes)} breaks ${term.text}`);
    }
  }
}

describe("a check kept to sizes", () => {
  it.each(all.map((chosen) => [chosen.operation.name, chosen] as const))(
    "%s has cases that obey alone",
    (_, chosen) => {
      const property = fc.property(termsOf(chosen), fc.nat(1e6), (text, seed) => {
        const kept = keptTo(chosen, text);
        if (kept === undefined) return;
        const { spec } = kept;
        const probes = [...precisionProbes(spec), ...precisionProbes(spec, 4096, "bfloat16")];
        const drawn = fc.sample(arbitraryCase(spec, false), { seed, numRuns: 20 });
        expectObeyed(chosen, text, [
          spec.ordinary,
          ...[...spec.examples, ...probes, ...drawn].map(({ sizes }) => sizes),
        ]);
        expectObeyed(
          chosen,
          text,
          largeCases(spec, seed).map(({ sizes }) => sizes),
        );
      });
      fc.assert(property, { numRuns: 20, seed: 7 });
    },
  );

  it.each([
    ["swiglu.forward", "R=F F%4=0 F<=64"],
    ["rope.forward", "HS=64,128 B<=2 start<=9 layout=half-split"],
    ["rmsnorm.forward", "C%8=0 C<=64 R>=4 R<300 eps>=5e-7 eps<=1e-4"],
    ["attention.forward", "HS=16,32 T=S T<=64 groups=1 B<=2 NKV=1"],
  ])("%s with %s shows a candidate nothing else", async (op, text) => {
    const [kept] = chosenWithin([one(op)], text);
    const { shapes, checked } = await seen(kept, 3, 10);
    expect(checked.report.cases).toBeGreaterThanOrEqual(10);
    expect(shapes.length).toBeGreaterThan(20);
    expect(checked.excluded!.sizes).toBe(text);
    expectObeyed(kept, text, shapes);
  });

  it.each([
    ["NH=32 NKV=8", ({ NKV, groups }: Sizes) => NKV === 8 && groups === 4],
    ["NH=NKV B<=2", ({ groups }: Sizes) => groups === 1],
    ["NH%8=0 NKV=4", ({ groups }: Sizes) => Number(groups) % 2 === 0],
    ["NH<=20 groups=4", ({ NKV }: Sizes) => Number(NKV) <= 5],
  ])("attention's %s is about NKV and groups", (text, holds) => {
    const [{ spec, excluded }] = chosenWithin([one("attention.forward")], text);
    const drawn = fc.sample(arbitraryCase(spec, false), { seed: 1, numRuns: 100 });
    const tried = [...drawn, ...exampleCases(spec, 1), ...largeCases(spec, 1)].map(({ sizes }) => sizes);
    expect(tried.every(holds)).toBe(true);
    expect(excluded!("float32").sizes).toBe(text);
  });

  it("NH is a size of its own where an op has it", () => {
    const [rope, attention] = chosenWithin([one("rope.forward"), one("attention.forward")], "NH=32 NKV=8");
    expect([rope.spec.ordinary.NH, attention.spec.ordinary.groups]).toEqual([32, 4]);
  });

  it("draws different sizes where the terms allow few", () => {
    const [{ spec }] = chosenWithin([one("linear.forward")], "C%64=0 R>=500 O=8,24");
    const drawn = fc.sample(arbitraryCase(spec, false), { seed: 1, numRuns: 200 }).map(({ sizes }) => sizes);
    const values = (name: string) => new Set(drawn.map((sizes) => sizes[name]));
    expect([...values("O")].toSorted()).toEqual([24, 8]);
    expect(values("C").size).toBeGreaterThanOrEqual(3);
    expect(values("R").size).toBeGreaterThan(10);
  });

  it("lists what it left out, moved and did not try", async () => {
    const { excluded, untried, passed } = await judge("rmsnorm.forward", ops["rmsnorm.forward"].reference, {
      sizes: "C%64=0 eps<=1e-5",
      runs: 5,
    });
    expect(passed).toBe(true);
    expect(excluded!.examples).toContain("R=3 C=43 eps=1e-5");
    expect(excluded!.moved).toEqual(["ordinary: R=9 C=70 eps=1e-5 became R=9 C=64 eps=1e-5"]);
    expect(untried).toEqual([{ part: "relation", line: "rmsnorm.forward, x times 8, eps times 64", cause: "sizes" }]);
  });

  it("leaves everything as it is where no term is about the op", () => {
    const kept = chosenWithin([one("add.forward"), one("linear.forward")], "C%8=0");
    expect(kept[0]).toBe(one("add.forward").spec === kept[0].spec ? kept[0] : undefined);
    expect(kept[1].excluded).toBeDefined();
  });
});

describe("the shapes of a model", () => {
  it("are those of every op, as far as memory and work allow", () => {
    for (const model of ["7B", "8B", "65B"] as const) {
      for (const chosen of chosenWithin(all, model)) {
        const { operation, spec, model: cases = [] } = chosen;
        expect(cases.length, operation.name).toBeGreaterThan(0);
        for (const { sizes, work, bytes, reduced, after } of cases) {
          expect(Object.keys(sizes)).toEqual(Object.keys(spec.ordinary));
          expect(work).toBe(spec.large!.work(sizes));
          const before = cases.find((other) => JSON.stringify(other.sizes) === JSON.stringify(after));
          // A shape of little more work than a first case is its own first case, as far as memory has room for it.
          const isAll = !cases.some((other) => JSON.stringify(other.after) === JSON.stringify(sizes));
          const first = isAll ? 1.8e9 : 9e8;
          expect(
            work,
            `${model} ${operation.name} ${JSON.stringify(sizes)} ${JSON.stringify(reduced)}`,
          ).toBeLessThanOrEqual(after === undefined ? first : 17 * before!.work);
          expect(bytes).toBeLessThanOrEqual(3 * 2 ** 30);
          expect(reduced.length > 0 || Number(sizes.R ?? sizes.T ?? sizes.N) >= 2048).toBe(true);
        }
        const lines = largeCases(spec, 3, 1).map((c) => JSON.stringify(c.sizes));
        expect(lines).toEqual(cases.map(({ sizes }) => JSON.stringify(sizes)));
      }
    }
  });

  it("have the heads of Llama 3 in 8B, and say what was made smaller", () => {
    const [{ model: cases }] = chosenWithin([one("attention.forward")], "8B");
    expect(cases!.at(-1)).toMatchObject({ sizes: { T: 2048, S: 2048 }, reduced: [] });
    expect(cases![0].sizes).toMatchObject({ B: 1, NKV: 8, groups: 4, HS: 128 });
    expect(cases![0].reduced).toEqual(["T reduced from 2048 to 451", "S reduced from 2048 to 451"]);
    const [{ model: rows }] = chosenWithin([one("rmsnorm.forward")], "7B");
    expect(rows).toEqual([expect.objectContaining({ sizes: { R: 2048, C: 4096, eps: "1e-6" }, reduced: [] })]);
  });

  it("are whole where truth and bound are sampled, after smaller cases", () => {
    for (const op of ["linear.forward", "linear.backward", "attention.forward", "attention.backward"]) {
      const [{ model: cases = [] }] = chosenWithin([one(op)], "7B");
      const last = cases.filter(({ sizes }) => !cases.some(({ after }) => after === sizes));
      expect(last.length).toBe(op.startsWith("linear") ? 4 : 1); // wk is wq where each head has its own keys
      expect(last.flatMap(({ reduced }) => reduced)).toEqual([]);
    }
  });

  it("are tried whole by a candidate that is fast enough in smaller ones, and only then", () => {
    const at = (work: number, after?: Sizes): ModelCase => {
      return { sizes: { N: work }, reduced: [], work, bytes: 1, ...(after && { after }) };
    };
    const cases = [at(1), at(10, { N: 1 }), at(100, { N: 10 })];
    const ladder = new Ladder(cases, 1000);
    expect(cases.map(({ sizes }) => ladder.of(sizes))).toEqual(["tried", "slow", "slow"]);
    ladder.note({ N: 7 }, 1); // no case of a model
    ladder.note({ N: 1 }, 40);
    expect(cases.map(({ sizes }) => ladder.of(sizes))).toEqual(["tried", "tried", "slow"]); // 16 times as large at most
    ladder.note({ N: 10 }, 60);
    expect(ladder.of({ N: 100 })).toBe("slow"); // 600 ms, more than half of the time
    ladder.note({ N: 10 }, 40);
    expect(cases.map(({ sizes }) => ladder.of(sizes))).toEqual(["tried", "needless", "tried"]);
  });

  it("obey the terms next to the model's name", () => {
    const [{ spec, model: cases }] = chosenWithin([one("linear.backward")], "7B R<=8 C%8=0");
    expect(cases!.every(({ sizes }) => spec.fits(sizes) && sizes.R === 8)).toBe(true);
    expect(() => chosenWithin([one("rmsnorm.forward")], "7B 13B")).toThrow("sizes: 7B and 13B, expected one model");
    expect(() => chosenWithin(choose(["rmsnorm.forward+linear.forward"]), "7B")).toThrow("expected a single op");
  });

  it("are tried whatever the number of cases", async () => {
    const { model, untried } = await judge("rope-table.forward", ops["rope-table.forward"].reference, {
      sizes: "7B",
      runs: 1,
    });
    expect(model!.map(({ sizes }) => sizes)).toEqual([{ theta: 10000, HS: 128, start: 17, T: 2048 }]);
    expect(untried).toEqual([]);
  });
});

describe("bad input", () => {
  it.each([
    ["", "sizes: empty, expected such as HS=64,128, T=S, C%8=0, B<=4 or eps>=1e-8"],
    ["HS", 'sizes: "HS" is no term, expected such as HS=64,128, T=S, C%8=0, B<=4 or eps>=1e-8'],
    ["hs=64", 'sizes: "hs" is no size, nearest: HS, expected one of B, NKV, groups, T, S, HS, NH'],
    ["NH=32", "sizes: NH=32, expected NKV or groups as one number next to it, such as NH=32 NKV=8"],
    ["NH=30 NKV=8", "sizes: NH=30 NKV=8, expected a multiple of NKV"],
    ["NH=T", "sizes: NH=T, expected NH=NKV or a number of heads"],
    ["T=SS", 'sizes: "SS" is no size, nearest: S, expected one of B, NKV, groups, T, S, HS, NH'],
    ["T=T", "sizes: T=T says nothing, expected two names"],
    ["HS%0=0", 'sizes: "HS%0=0", expected such as HS%8=0'],
    ["HS%8=1", 'sizes: "HS%8=1", expected such as HS%8=0'],
    ["HS<=x", 'sizes: "HS<=x", expected a number after <='],
    ["HS=64,", 'sizes: "HS=64," has an empty value, expected such as HS=64,128, T=S, C%8=0, B<=4 or eps>=1e-8'],
    ["HS=64,64", 'sizes: "HS=64,64" has a value twice'],
    ["HS=1.5", "sizes: HS=1.5, expected whole numbers or the name of a size"],
    ["HS=1e99", 'sizes: HS="1e99", expected at most 2147483648'],
    ["HS=64 HS=128", "sizes: HS=64 and HS=128, expected one of them"],
    ["HS=64 HS<=64 HS<=64", "sizes: HS<=64 and HS<=64, expected one of them"],
    ["HS=64 HS>=100", "sizes: no HS of at least 1 is left: HS=64 HS>=100"],
    ["T=S T<=4 S>4", "sizes: no T = S of at least 1 is left: T<=4 S>4"],
    ["B<1", "sizes: no B of at least 1 is left: B<1"],
  ])("%s", (text, message) => {
    expect(() => chosenWithin([one("attention.forward")], text)).toThrow(message);
  });

  it("names a choice that is unknown, and a smallest case that is too large with what would fit", () => {
    expect(() => chosenWithin([one("rope.forward")], "layout=half")).toThrow(
      "sizes: no layout is left: layout=half, expected such as",
    );
    expect(() => chosenWithin([one("rope.forward")], "HS=63")).toThrow(
      "sizes: no HS of at least 1 is left: HS=63, and a multiple of 2",
    );
    expect(() => chosenWithin([one("linear.forward")], "R>=4096 O>=4096 C=4096")).toThrow(
      /^sizes: the smallest case of linear.forward is R=4096 O=4096 C=4096, 6.9e\+10 multiplications and 0.63 GiB, expected at most 1.5e\+8 and 3 GiB$/,
    );
    expect(() => chosenWithin([one("linear.forward")], "R>=64 O>=4096 C=4096")).toThrow(
      /; R=4 would fit$|; O=\d+ would fit$/,
    );
  });

  it("is refused by judge", async () => {
    const { reference } = ops["add.forward"];
    await expect(judge("add.forward", reference, { sizes: 8 as never })).rejects.toThrow("options.sizes: got 8");
    await expect(judge("add.forward", reference, { sizes: "M<=8" })).rejects.toThrow('sizes: "M" is no size');
  });
});
