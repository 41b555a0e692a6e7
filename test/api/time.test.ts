// The limits on time of the public judge.
import { describe, expect, test } from "vitest";
import { judge, type KernelFunction, ops } from "../../index.ts";

describe("judge", () => {
  test.for([
    undefined,
    "add.forward N=5 profile=unit seed=1",
    "add.forward N=5 profile=unit seed=1, another order of N",
  ])("a promise that never settles is a finding by the timeout (replay: %s)", async (line) => {
    const hangs = (): Promise<never> => new Promise(() => {});
    const options = { timeout: 20, ...(line === undefined ? {} : { replay: line }) };
    const { passed, findings } = await judge("add.forward", hangs, options);
    expect([passed, findings]).toEqual([
      false,
      [expect.stringMatching(/hangs failed: did not answer within 0\.02 s$/)],
    ]);
  });

  test("an end that never comes is a finding, and keeps nothing waiting", async () => {
    const add = ops["add.forward"].reference;
    const { passed, findings } = await judge(
      "add.forward",
      {
        name: "mine",
        run: async (inputs, scalars) => ({ outputs: add(inputs as never, scalars as never), complaints: [] }),
        close: () => new Promise(() => {}),
      },
      { runs: 1, timeout: 50 },
    );
    expect([passed, findings]).toEqual([false, ["mine failed: did not close within 0.05 s, when it was closed"]]);
  });

  test("lists what a budget left out", async () => {
    const slow: KernelFunction<"add.forward"> = async (inputs, scalars) => {
      await new Promise((resolve) => void setTimeout(resolve, 30));
      return ops["add.forward"].reference(inputs, scalars);
    };
    const { cases: count, untried, findings } = await judge("add.forward", slow, { seconds: 0.02 });
    expect([count, findings]).toEqual([1, []]);
    expect(untried.map(({ part }) => part)).toContain("large case");
    expect(untried).toContainEqual({ part: "exactness", line: "add.forward" });
  });

  test.for([
    [NaN, /^options\.timeout: got NaN, expected a positive number$/],
    ["1", /^options\.timeout: got "1", expected a number$/],
  ] as const)("takes no timeout of %j", async ([timeout, message]) => {
    await expect(judge("add.forward", ops["add.forward"].reference, { timeout: timeout as never })).rejects.toThrow(
      message,
    );
  });
});
