import { expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import * as bound from "../../reference/ops/rope-table.bound.ts";
import { forward } from "../../reference/ops/rope-table.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { testBound } from "../rows.ts";

testBound("rope-table.forward");

test("pair 0 turns by the position itself, the last pair by theta^(2/HS − 1)", () => {
  const { cos, sin } = forward(10000, 4, 1, 2, Float64Array);
  expect(cos.shape).toEqual([2, 2]);
  // cos 1, cos 0.01, cos 2, cos 0.02 and the sines, from a table
  expect([...cos.data].map((c) => c.toFixed(10))).toEqual([
    "0.5403023059",
    "0.9999500004",
    "-0.4161468365",
    "0.9998000067",
  ]);
  expect([...sin.data].map((s) => s.toFixed(10))).toEqual([
    "0.8414709848",
    "0.0099998333",
    "0.9092974268",
    "0.0199986667",
  ]);
});

test("any start is a window of the table from 0", () => {
  const whole = forward(10000, 6, 0, 9);
  const part = forward(10000, 6, 4, 5);
  expect(part.cos.data).toEqual(whole.cos.data.slice(4 * 3));
  expect(part.sin.data).toEqual(whole.sin.data.slice(4 * 3));
});

test("an odd head size is refused", () => {
  expect(() => forward(10000, 5, 0, 1)).toThrow(/head size 5 is odd/);
});

test("an angle with an error above a turn is judged by the range of sine and cosine", () => {
  const { cos, sin } = bound.forward.bound(
    {},
    { theta: 10000, HS: 2, start: 2 ** 20, T: 1 },
    { ...targets.wgsl, u: 2 ** -10 },
  );
  const want = forward(10000, 2, 2 ** 20, 1, Float64Array);
  for (const [allowed, exact] of [
    [cos, want.cos],
    [sin, want.sin],
  ]) {
    expect(allowed.data[0]).toBeGreaterThanOrEqual(1 + Math.abs(exact.data[0]));
    expect(allowed.data[0]).toBeLessThan(1 + Math.abs(exact.data[0]) + 2 ** -8);
  }
});

test("where the target promises nothing of exp2, nothing is judged closely", () => {
  const silent: Target = { ...targets.wgsl, functions: { ...targets.wgsl.functions, exp2: [] } };
  const { sin } = bound.forward.bound({}, { theta: 10000, HS: 4, start: 1, T: 1 }, silent);
  for (const allowed of sin.data) expect(allowed).toBeGreaterThanOrEqual(1);
});

test("the bound grows with the position, from the target's own accuracy at 0", () => {
  const { sin } = bound.forward.bound({}, { theta: 10000, HS: 64, start: 0, T: 4096 }, targets.wgsl);
  const ownAccuracy = targets.wgsl.functions.sin[0].absolute!;
  expect(sin.data[0]).toBeLessThanOrEqual(ownAccuracy * (1 + dtypes.float32.u));
  for (let t = 1; t < 4096; t++) {
    expect(sin.data[t * 32]).toBeGreaterThan(ownAccuracy);
    expect(sin.data[t * 32]).toBeLessThan(ownAccuracy + t * 16 * targets.wgsl.u);
  }
});
