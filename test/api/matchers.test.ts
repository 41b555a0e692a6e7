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

test("the matchers are typed", () => {
  const misspelt = { op: "swiglu.forward", inputs: { gat: gate, up }, scalars: {} } as const;
  // @ts-expect-error the input gate is missing
  expect(() => expect({}).toBeWithinBound(misspelt)).toThrow(TypeError);
  // @ts-expect-error an op that does not exist
  void (() => expect(kernel).toPassTouchstone("swiglu"));
});
