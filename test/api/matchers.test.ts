// The matchers as a suite uses them: what they say, and what compiles.
import { expect, test } from "vitest";
import { judge } from "../../index.ts";
import { matchers } from "../../vitest.ts";
import { gate, kernel, offByAThousandth, problem, up } from "./problem.ts";

expect.extend(matchers);

test("toBeWithinBound", () => {
  expect(kernel({ gate, up }, {})).toBeWithinBound(problem);
  expect(offByAThousandth({ gate, up })).not.toBeWithinBound(problem);
  expect(() => expect(offByAThousandth({ gate, up })).toBeWithinBound(problem)).toThrow(
    /^swiglu\.forward: y\[1,1\]: got .* × the bound/,
  );
  expect(() => expect(kernel({ gate, up }, {})).not.toBeWithinBound(problem)).toThrow(/4 elements are within/);
});

test("toPassTouchstone fails with the line that shows it again", async () => {
  await expect(kernel).toPassTouchstone("swiglu.forward", { runs: 5 });
  const failure = await expect(offByAThousandth)
    .toPassTouchstone("swiglu.forward", { runs: 5 })
    .then(
      () => "",
      (error: Error) => error.message,
    );
  const [, line] = /replay: "([^"]+)"/.exec(failure) ?? [];
  expect((await judge("swiglu.forward", offByAThousandth, { replay: line! })).passed).toBe(false);
  await expect(offByAThousandth).not.toPassTouchstone("swiglu.forward", { runs: 5 });
});

test("an inconclusive verdict fails a matcher and its .not", async () => {
  const none = { data: new Float32Array(0), shape: [0, 3] };
  const empty = { op: "swiglu.forward", inputs: { gate: none, up: none }, scalars: {} } as const;
  expect(() => expect({ y: none }).toBeWithinBound(empty)).toThrow(/inconclusive: /);
  expect(() => expect({ y: none }).not.toBeWithinBound(empty)).toThrow(/inconclusive: /);
  const options = { replay: "swiglu.forward R=0 F=3 profile=unit seed=1" };
  const refused = expect(kernel).toPassTouchstone("swiglu.forward", options);
  await expect(refused).rejects.toThrow(/inconclusive: /);
  const negated = expect(kernel).not.toPassTouchstone("swiglu.forward", options);
  await expect(negated).rejects.toThrow(/inconclusive: /);
});

test("the matchers are typed", () => {
  const misspelt = { op: "swiglu.forward", inputs: { gat: gate, up }, scalars: {} } as const;
  // @ts-expect-error the input gate is missing
  expect(() => expect({}).toBeWithinBound(misspelt)).toThrow(TypeError);
  // @ts-expect-error an op that does not exist
  void (() => expect(kernel).toPassTouchstone("swiglu"));
});
