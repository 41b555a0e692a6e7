import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { offences } from "../../kernels-gpu/device/guards.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import * as swiglu from "../../kernels-gpu/swiglu.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { device } from "./device.ts";

// WGSL 15.7.4: + - * are rounded in either direction, so err by u = 2⁻²³ relative; a quotient by 2.5 ulp, exp(z) by
// 3 + 2|z| ulp, and an ulp is at most u relative.
const u = 2 ** -23;
const EXP = (z: number): number => (3 + 2 * Math.abs(z)) * u;
const QUOTIENT = 2.5 * u;
/** Relative errors that multiply, (1+δ₁)(1+δ₂)…: at most Σδ / (1 − Σδ). */
const compound = (...deltas: number[]): number => {
  const sum = deltas.reduce((total, delta) => total + delta, 0);
  return sum / (1 - sum);
};

interface Bounded {
  value: number;
  bound: number;
}

/** σ(z) in float64 and the relative error of exp, 1 + e and the quotient; the numerator is 1 or e. */
function sigmoid(z: number): { value: number; delta: number } {
  const e = Math.exp(-Math.abs(z));
  const denominator = (e * EXP(z)) / (1 + e) + u;
  return { value: (z < 0 ? e : 1) / (1 + e), delta: compound(z < 0 ? EXP(z) : 0, denominator, QUOTIENT) };
}

function forward(gate: number, up: number): Bounded {
  const s = sigmoid(gate);
  const value = gate * s.value * up;
  return { value, bound: Math.abs(value) * compound(s.delta, u, u) };
}

function dup(dy: number, gate: number): Bounded {
  const s = sigmoid(gate);
  const value = dy * gate * s.value;
  return { value, bound: Math.abs(value) * compound(s.delta, u, u) };
}

function dgate(dy: number, gate: number, up: number): Bounded {
  const s = sigmoid(gate);
  const t = sigmoid(-gate);
  const left = dy * up * s.value;
  // 1 + g·t may cancel: the error of g·t stays absolute.
  const slope = 1 + gate * t.value;
  const slopeError = Math.abs(gate * t.value) * compound(t.delta, u) * (1 + u) + u * Math.abs(slope);
  const delta = compound(s.delta, u, u, u);
  return { value: left * slope, bound: Math.abs(left) * (Math.abs(slope) * delta + slopeError * (1 + delta)) };
}

/** Numbers of both signs around `scale`, none so small that a result could be subnormal. */
function numbers(seed: number, shape: number[], scale = 3): Tensor<Float32Array> {
  const data = new Float32Array(shape.reduce((n, length) => n * length, 1));
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = (state / 2 ** 31 - 1) * scale;
  }
  return { data, shape };
}

function worst(got: Tensor, want: (i: number) => Bounded): number {
  let ratio = 0;
  for (let i = 0; i < got.data.length; i++) {
    const { value, bound } = want(i);
    const error = Math.abs(got.data[i]! - value);
    if (!(error <= bound)) throw new RangeError(`[${i}]: got ${got.data[i]}, want ${value}, bound ${bound}`);
    if (bound > 0) ratio = Math.max(ratio, error / bound);
  }
  return ratio;
}

function problem(shape: number[], scale?: number): Record<"dy" | "gate" | "up", Tensor<Float32Array>> {
  return { dy: numbers(1, shape), gate: numbers(2, shape, scale), up: numbers(3, shape) };
}

function judgeForward(y: Tensor, { gate, up }: ReturnType<typeof problem>): number {
  return worst(y, (i) => forward(gate.data[i]!, up.data[i]!));
}

const shapes = [
  [1, 1],
  [0, 5],
  [5, 0],
  [1, 63],
  [7, 9],
  [1, 64],
  [13, 5],
  [3, 129],
  [257, 31],
];
const cases = shapes.flatMap((shape) => [3, 60].map((scale) => [shape, scale] as const));

test.each(cases)("forward and backward %j with gates up to %d", async (shape, scale) => {
  const { dy, gate, up } = problem(shape, scale);
  const { y } = await swiglu.forward(device, { gate, up });
  expect(y.shape).toEqual(shape);
  const share = judgeForward(y, { dy, gate, up });
  const grads = await swiglu.backward(device, { dy, gate, up });
  worst(grads.dgate, (i) => dgate(dy.data[i]!, gate.data[i]!, up.data[i]!));
  worst(grads.dup, (i) => dup(dy.data[i]!, gate.data[i]!));
  if (y.data.length > 100) expect(share).toBeGreaterThan(0); // something was compared
});

test("more than 65,535 workgroups take the second axis", async () => {
  const given = problem([70_001, 3]);
  const { gate, up } = given;
  const { outputs, hygiene } = await launch(device, swiglu.forward, { gate, up }, {}, { overrides: { WG: 1 } });
  expect(offences(hygiene)).toEqual([]);
  judgeForward(outputs["y"]!, given);
});

const source = readFileSync(new URL("../../kernels-gpu/swiglu.forward.wgsl", import.meta.url), "utf8");

async function mutant(from: string, to: string, shape = [3, 67]): Promise<{ verdict: string; clean: string[] }> {
  expect(source.split(from).length).toBe(2);
  const given = problem(shape);
  const sources = new Map([["swiglu.forward.wgsl", source.replace(from, to)]]);
  const { gate, up } = given;
  const { outputs, hygiene } = await launch(device, swiglu.forward, { gate, up }, {}, { sources });
  let verdict = "accepted";
  try {
    judgeForward(outputs["y"]!, given);
  } catch (error) {
    verdict = String(error);
  }
  return { verdict, clean: offences(hygiene) };
}

test("the unmutated text is accepted", async () => {
  expect(await mutant("gate[i] * select", "gate[i] * select")).toEqual({ verdict: "accepted", clean: [] });
});

test.each([
  ["select(1.0, e, gate[i] < 0.0)", "select(1.0, e, gate[i] > 0.0)"],
  ["/ (1.0 + e)", "/ (1.0 + e * 0.999)"],
  ["* up[i]", "* up[i + 1u]"],
  ["* up[i]", ""],
  ["exp(-abs(gate[i]))", "exp2(-abs(gate[i]))"],
])("mutant %s -> %s is outside its bound", async (from, to) => {
  expect((await mutant(from, to)).verdict).toMatch(/RangeError: \[\d+\]: got/);
});

test("a kernel that writes past the end is caught, and its results are right", async () => {
  const { verdict, clean } = await mutant("if (i >= dims.R * dims.F) { return; }", "");
  expect(verdict).toBe("accepted");
  expect(clean).toEqual(["swiglu.forward y: 55 elements written past its end, first at [201]"]);
});

test("a write far past the end is caught", async () => {
  const { clean } = await mutant("y[i] = ", "y[i + 1000000u] = 7.0; y[i] = ");
  expect(clean.join()).toMatch(/^swiglu.forward y: 1 element written past its end/);
});

test("an element that is never written is caught", async () => {
  const { verdict, clean } = await mutant("{ return; }", "{ return; } if (i % 100u == 99u) { return; }");
  expect(verdict).toMatch(/\[99\]: got NaN/);
  expect(clean).toEqual(["swiglu.forward y: 2 elements never written, first at [99]"]);
});

test("a kernel that writes nothing, and one that only copies its input", async () => {
  const nothing = await mutant("{ return; }", "{ return; } if (dims.R > 0u) { return; }");
  expect(nothing.clean).toEqual(["swiglu.forward y: 201 elements never written, first at [0]"]);
  const copied = await mutant(
    "y[i] = gate[i] * select(1.0, e, gate[i] < 0.0) / (1.0 + e) * up[i];",
    "y[i] = gate[i] + 0.0 * (e + up[i]);",
  );
  expect(copied.verdict).toMatch(/got/);
});

test("a kernel that changes its input is caught", async () => {
  const text = source.replace("read>       gate", "read_write> gate").replace("y[i] = ", "gate[i] = 1.0; y[i] = ");
  const { gate, up } = problem([2, 3]);
  const sources = new Map([["swiglu.forward.wgsl", text]]);
  const { hygiene } = await launch(device, swiglu.forward, { gate, up }, {}, { sources });
  expect(offences(hygiene)).toEqual(["gate: 6 elements of the input changed, first at [0]"]);
});

test("NaN, infinities and -0 pass through without harming their neighbours", async () => {
  const gate = { data: new Float32Array([Number.NaN, Number.POSITIVE_INFINITY, -0, 1, 2]), shape: [1, 5] };
  const up = { data: new Float32Array([1, 2, 3, 4, Number.NaN]), shape: [1, 5] };
  const { y } = await swiglu.forward(device, { gate, up });
  for (const i of [2, 3]) {
    const { value, bound } = forward(gate.data[i]!, up.data[i]!);
    expect(Math.abs(y.data[i]! - value)).toBeLessThanOrEqual(bound);
  }
});
