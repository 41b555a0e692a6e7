// Kernels that give some of an op's outputs, and say so.
import { expect, test } from "vitest";
import { compare, invariance, judge, ops, replay, targets } from "../../index.ts";
import { matchers } from "../../vitest.ts";
import { choose } from "../../judge/choose.ts";
import { offering } from "../../judge/offered.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";

const norm = ops["rmsnorm.forward"].reference;
const yAlone = (...[inputs, scalars]: Parameters<typeof norm>) => ({ y: norm(inputs, scalars).y });
const offered = ["y"];

test("a norm without rstd passes when it says so, and fails when it does not", async () => {
  const result = await judge("rmsnorm.forward", yAlone, { runs: 3, outputs: offered });
  expect(result).toMatchObject({ verdict: "pass", findings: [], notOffered: ["rstd"] });
  expect(result.precision.map(({ output }) => output)).toEqual(["y"]);
  const { findings } = await judge("rmsnorm.forward", yAlone as never, { runs: 3 });
  expect(findings[0]).toMatch(/returned rstd as nothing/);
});

test("what is offered is judged as strictly as ever, and its lines are replayed with the same outputs", async () => {
  const off = (...[inputs, scalars]: Parameters<typeof norm>) => {
    const { y } = yAlone(inputs, scalars);
    return { y: { data: y.data.map((x) => 1.001 * x), shape: y.shape } };
  };
  const { verdict, replays } = await judge("rmsnorm.forward", off, { runs: 3, outputs: offered });
  expect(verdict).toBe("FAIL");
  const again = await judge("rmsnorm.forward", off, { replay: replays[0], outputs: offered });
  expect(again).toMatchObject({ verdict: "FAIL", notOffered: ["rstd"] });
  const line =
    "attention.forward B=1 NKV=1 groups=1 T=3 S=3 HS=2 profile=unit seed=1, a constant added to a query's scores";
  const attention = (...[inputs, scalars]: Parameters<(typeof ops)["attention.forward"]["reference"]>) => ({
    y: ops["attention.forward"].reference(inputs, scalars).y,
  });
  expect(await judge("attention.forward", attention, { replay: line, outputs: offered })).toMatchObject({
    verdict: "pass",
  });
});

test("each set of outputs of each op has parts of a check, and no relation asks for another output", async () => {
  for (const operation of operations.values()) {
    for (const name of Object.keys(operation.outputs)) {
      const [chosen] = offering(choose([operation.name]), [name]);
      expect(Object.keys(chosen.operation.outputs)).toEqual([name]);
      const left = Object.keys(operation.outputs).filter((other) => other !== name);
      expect(chosen.operation.notOffered ?? []).toEqual(left);
      const { probes, independence, padding } = chosen.spec;
      for (const { outputs } of [...probes(4096), ...independence, ...padding]) expect(outputs).toEqual([name]);
      const { seed, sizes } = { seed: 5, sizes: chosen.spec.ordinary };
      const candidate = {
        name: "partial",
        run: async (inputs: Inputs, scalars: Scalars) => {
          const all = operation.evaluate(inputs, scalars, Float32Array);
          return { outputs: { [name]: all[name] }, complaints: [] };
        },
      };
      const trial = {
        ...chosen,
        candidate,
        sizes,
        seed,
        target: targets.ieee,
        dtype: "float32",
        deterministic: true,
      } as const;
      const shifts = relationsOf(chosen.operation, { ...chosen.spec, independence: [], padding: [] });
      for (const relation of shifts.filter((one) => one.name !== "another order of calls")) {
        expect(`${operation.name} ${name} ${(await relation.run(trial)).state}`).toMatch(/holds|rounded/);
      }
    }
  }
});

test("outputs that exist already, and maps of bits", async () => {
  const problem = replay("rmsnorm.forward R=2 C=5 eps=1e-5 profile=unit seed=1", "rmsnorm.forward");
  const { y } = ops["rmsnorm.forward"].reference(problem.inputs, problem.scalars);
  expect(compare(problem, { y }, { outputs: ["y"] })).toMatchObject({ passed: true, notOffered: ["rstd"] });
  expect(compare(problem, { y } as never).findings).toEqual(["output rstd is missing"]);
  expect(matchers.toBeWithinBound({ y } as never, problem, { outputs: ["y"] }).pass).toBe(true);
  const { maps } = await invariance("rmsnorm.forward", yAlone, { outputs: ["y"], sizes: "R<=9 C=8" });
  expect(maps.length).toBeGreaterThan(0);
});

test("a list that names nothing, a stranger, one twice, or nothing of an op is refused in one line", async () => {
  const refused =
    (names: readonly string[], ...of: string[]) =>
    () =>
      offering(choose(of), names);
  expect(refused([], "attention.forward")).toThrow("names no output, expected one or more of y, lse");
  expect(refused(["lsee"], "attention.forward")).toThrow(
    'no output is named "lsee", nearest: lse, expected one or more of y, lse',
  );
  expect(refused(["y", "y"], "attention.forward")).toThrow("y occurs twice, expected once");
  expect(refused(["y"], "attention")).toThrow(
    "none is an output of attention.backward, which has dq, dk, dv: nothing of it would be judged",
  );
  await expect(judge("add.forward", yAlone as never, { outputs: ["z"] as never })).rejects.toThrow(
    /^options.outputs: no output is named "z"/,
  );
  await expect(judge("add.forward", yAlone as never, { outputs: "y" as never })).rejects.toThrow(
    /^options.outputs: got "y", expected a list/,
  );
});
