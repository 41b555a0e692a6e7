// Tensors in 16 bits: what the host packs, what the device packs, and how a kernel's text is changed for them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deviceCandidate } from "../../kernels-gpu/candidate.ts";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { cast } from "../../kernels-gpu/cast.ts";
import { kernelOf, kernels } from "../../kernels-gpu/index.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { fromHalves, type LowType, packedSource, toHalves } from "../../kernels-gpu/device/packed.ts";
import { KernelRecorder } from "../../kernels-gpu/device/recorder.ts";
import { parseWgsl } from "../../kernels-gpu/device/wgsl.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { wgsl } from "../device.ts";
import { device } from "./device.ts";

const formats = [
  { dtype: "bfloat16", low: "bf16" },
  { dtype: "float16", low: "f16" },
] as const;

describe.each(formats)("$dtype", ({ dtype, low }) => {
  const format = dtypes[dtype];
  const everyHalf = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);

  test("every half is a number that goes back into that half", () => {
    const numbers = fromHalves(everyHalf, low);
    const again = toHalves(numbers, low);
    for (const [half, x] of numbers.entries()) {
      if (Number.isNaN(x)) expect(fromHalves(again.slice(half, half + 1), low)[0]).toBeNaN();
      else expect([half, again[half], round(x, format)]).toEqual([half, half, x]);
    }
  });

  test("numbers are rounded as the reference rounds", () => {
    const anyFloat = fc.oneof(fc.float(), fc.float({ min: -1, max: 1 }), fc.float({ noDefaultInfinity: true }));
    fc.assert(
      fc.property(anyFloat, (x) => Object.is(fromHalves(toHalves([x] as never, low), low)[0], round(x, format))),
      { numRuns: 2000 },
    );
  });

  // Each number of the format, the middles between neighbours and what lies just beside those: where rounding can go wrong.
  test("the device rounds and widens as the host does", async () => {
    const numbers = fromHalves(everyHalf, low).filter((x) => Number.isFinite(x));
    const around: number[] = [];
    for (const x of numbers) {
      const [bits] = new Uint32Array(Float32Array.of(x).buffer);
      const middle = bits + (low === "bf16" ? 0x8000 : 0x1000); // half a unit, where x is normal
      around.push(x, ...new Float32Array(Uint32Array.of(middle - 1, middle, middle + 1).buffer));
    }
    const smallest = dtypes.float32.minNormal; // WGSL may flush what is below
    const data = Float32Array.from(around.filter((one) => one === 0 || Math.abs(one) >= smallest));
    const run = new KernelRecorder(device);
    const y = cast(run, run.upload({ data, shape: [data.length] }), low);
    expect(y.type).toBe(low);
    const back = cast(run, y, "f32");
    const [narrowed, widened] = await run.readAll([y, back]);
    run.destroy();
    let differing = 0;
    for (const [i, one] of data.entries()) {
      const want = round(one, format);
      const isSubnormal = Math.abs(want) < smallest;
      if (!Object.is(narrowed.data[i], want)) differing++;
      if (!Object.is(widened.data[i], want) && !(isSubnormal && widened.data[i] === 0)) differing++;
    }
    expect(data.length).toBeGreaterThan(200_000);
    expect(differing).toBe(0);
  });
});

describe("a kernel's text", () => {
  const rewritten = (text: string, types: Record<string, LowType>): string =>
    packedSource("a.wgsl", { text, module: parseWgsl("a.wgsl", text) }, new Map(Object.entries(types))).text;
  const declared = [
    "@group(0) @binding(0) var<storage, read> x: array<f32>;  // [N]",
    "@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [N]",
  ].join("\n");
  const body = (line: string): string => `${declared}\nfn f() {\n  ${line}\n}`;

  test.each([
    ["let a = x[i];", "let a = x_get(u32(i));"],
    ["y[2 * i] = x[x2[i]] + x[i + 1];", "y_set(u32(2 * i), x_get(u32(x2[i])) + x_get(u32(i + 1)));"],
    ["if (x[i] == x[j]) { y[i] = 0; }", "if (x_get(u32(i)) == x_get(u32(j))) { y_set(u32(i), 0); }"],
    ["y[u32(x[i])] = y[i] * y[j];", "y_set(u32(u32(x_get(u32(i)))), y_get(u32(i)) * y_get(u32(j)));"],
    ["let a = dims.x + max[i] + s.y[i];", "let a = dims.x + max[i] + s.y[i];"],
    ["let a = x[i]; // y += x", "let a = x_get(u32(i));"],
    ["let b = c && x[i] > y[i];", "let b = c && x_get(u32(i)) > y_get(u32(i));"],
    ["for (y[0] = 1; j < n; y[j] = max(x[j], 0)) { j++; }", "; y_set(u32(j), max(x_get(u32(j)), 0))) { j++; }"],
    ["y /* of */ [i] /* is */ = /* ; */ x\n[i];", "y_set(u32(i), x_get(u32(i)));"],
    ["y[i] = a  // ; and\n    + x[i];", "y_set(u32(i), a   \n    + x_get(u32(i)));"],
    ["let a = δx[i] + x[i];", "let a = δx[i] + x_get(u32(i));"],
  ])("%s", (line, want) => {
    const text = rewritten(body(line), { x: "bf16", y: "bf16" });
    expect(text).toContain(want);
    expect(text).toContain("x: array<u32>;");
    expect(text).toContain("y: array<atomic<u32>>;");
  });

  test.each(["y[i] += x[i];", "y[i]++;", "let n = arrayLength(&x);", "let p = &y[i];", "g(&x);", "let x = 1.0;"])(
    "%s cannot be had in 16 bits, and the line is named",
    (line) => {
      expect(() => rewritten(body(line), { x: "bf16", y: "bf16" })).toThrow(/^a\.wgsl:4 [xy] is stored in 16 bits/);
    },
  );

  // WGSL 3.5: the first that opens is the comment, a line comment ends at any line break, block comments hold block comments.
  test.each([
    ["y[0] = 1; // the /* of a line\n  y[i] = x[i]; // and its */", "y_set(u32(i), x_get(u32(i)));"],
    ["/* // */ y[i] = x[i];", "y_set(u32(i), x_get(u32(i)));"],
    ["/* a /* b */ y += x */ y[i] = x[i];", "y_set(u32(i), x_get(u32(i)));"],
    ["// a\f y[i] = x[i];", "y_set(u32(i), x_get(u32(i)));"],
  ])("no code goes with a comment: %j", (line, want) => {
    expect(rewritten(body(line), { x: "bf16", y: "bf16" })).toContain(want);
  });

  test.each([
    ["y[i] = 1;\n  y[j] = g(&x);", /^a\.wgsl:5 x is stored/],
    ["y[i] = 1;\n  y[2 * x] = 1;", /^a\.wgsl:5 x is stored/],
    ["y[i] = x[i]", /^a\.wgsl:4 y is stored/],
    ["x[i] = 1;", /^a\.wgsl:4 x is stored/],
    ["y[i] = 1; /* open", /^a\.wgsl: a \/\* without its \*\/$/],
  ])("refused, with the line of the use itself: %j", (line, why) => {
    expect(() => rewritten(body(line), { x: "bf16", y: "bf16" })).toThrow(why);
  });

  test("what stays wide stays as it is", () => {
    const text = rewritten(body("y[i] += x[i];"), { x: "f16" });
    expect(text).toContain("y[i] += x_get(u32(i));");
    expect(text).toContain("y: array<f32>;");
  });
});

describe("what is wrong in 16 bits is found", () => {
  const op = "swiglu.forward";
  const file = "swiglu.forward.wgsl";
  const judged = async (replace: readonly [string, string]): Promise<string[]> => {
    const text = wgsl(file);
    expect(text).toContain(replace[0]);
    const sources = new Map([[file, text.replace(...replace)]]);
    const operation = operations.get(op)!;
    const candidate = deviceCandidate(device, kernelOf(op)!, operation, { sources }, "bfloat16");
    const spec = judgeRows.get(op)!;
    const tried = [...exampleCases(spec, 1), ...fc.sample(arbitraryCase(spec, false), { numRuns: 20, seed: 1 })];
    const findings: string[] = [];
    for (const c of tried) {
      const { findings: found } = await judgeProblem(
        operation,
        candidate,
        { ...spec.build(c.sizes, c.profile as "unit", c.seed), profile: c.profile },
        { target: targets.wgsl, dtype: "bfloat16" },
      );
      findings.push(...found);
    }
    return findings;
  };
  test("nothing, where nothing is wrong", async () => {
    expect(await judged(["e = exp", "e = exp"])).toEqual([]);
  });
  test("an output rounded once more than it has to be", async () => {
    const cut =
      "y[i] = bitcast<f32>(bitcast<u32>(gate[i] * select(1.0, e, gate[i] < 0.0) / (1.0 + e)) & 0xffff0000u) * up[i]";
    expect(await judged(["y[i] = gate[i] * select(1.0, e, gate[i] < 0.0) / (1.0 + e) * up[i]", cut])).not.toEqual([]);
  });
  test("a last element that is not written, in the lower half of a word whose upper half is the guard's", async () => {
    const findings = await judged(["if (i >= dims.R * dims.F)", "if (i + 1 >= dims.R * dims.F)"]);
    expect(findings.join("\n")).toMatch(/1 element never written/);
  });
  test("a write past the end", async () => {
    const findings = await judged(["if (i >= dims.R * dims.F)", "if (i > dims.R * dims.F)"]);
    expect(findings.join("\n")).toMatch(/1 element written past its end/);
  });
});

test("tensors may be called what the accessors might call their own: i, value, shift", async () => {
  const text = wgsl("add.forward.wgsl");
  const renamed = text.replaceAll("y[i]", "shift[k]").replaceAll(/\by:/g, "shift:").replaceAll(/\ba:/g, "i:");
  const named = renamed
    .replaceAll(/\bb:/g, "value:")
    .replace("a[i] + b[i]", "i[k] + value[k]")
    .replaceAll("let i", "let k");
  const file = "named.wgsl";
  const source = named.replace("(i >= dims.N)", "(k >= dims.N)");
  const types = new Map<string, LowType>(["i", "value", "shift"].map((name) => [name, "bf16"]));
  const { text: packed } = packedSource(file, { text: source, module: parseWgsl(file, source) }, types);
  const module = device.device.createShaderModule({ code: packed });
  const { messages } = await module.getCompilationInfo();
  expect(messages.map(({ message }) => message)).toEqual([]);
});

test("an output that should be wide and is not is named", async () => {
  const x = { data: new Float32Array(6), shape: [2, 3] };
  const low = new Map<string, LowType>([
    ["gate", "bf16"],
    ["up", "bf16"],
  ]);
  await expect(launch(device, kernels["swiglu.forward"], { gate: x, up: x }, {}, { low })).rejects.toThrow(
    `swiglu.forward: y is bf16 [2,3], expected f32 [2,3]; name it in the kernel's "wide"`,
  );
});
