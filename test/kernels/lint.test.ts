import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { lettersOf, resolveAxes, shapeFrom } from "../../kernels-gpu/device/axes.ts";
import { kernels } from "../../kernels-gpu/index.ts";
import { lintWgsl, nullDevice, wgslFiles } from "../../kernels-gpu/device/lint.ts";
import { parseWgsl } from "../../kernels-gpu/device/wgsl.ts";

const { device, close } = await nullDevice();
afterAll(close);
const folder = fileURLToPath(new URL("../../kernels-gpu", import.meta.url));

test.each(wgslFiles(folder).map((file) => [basename(file), file]))("%s has no finding", async (name, file) => {
  expect(await lintWgsl(device, name, readFileSync(file, "utf8"))).toEqual([]);
});

test("every program has the name it is listed under", () => {
  expect(Object.keys(kernels).length).toBeGreaterThan(0);
  for (const [name, program] of Object.entries(kernels)) expect(program.id).toBe(name);
});

const good = readFileSync(new URL("../../kernels-gpu/swiglu.forward.wgsl", import.meta.url), "utf8");
test.each([
  ["= exp(", "= expo(", "x.wgsl:13:11 error: unresolved call target 'expo'"],
  ["  y[i] =", "  return; y[i] =", "x.wgsl:14:16 warning: code is unreachable"],
  ["u32 = 64", "u32 = 512", "x.wgsl:1:1 error: main: Entry-point uses workgroup_size(512, 1, 1)"],
  ["// [R, F]\n", "\n", "x.wgsl:5:1 error: gate has no shape comment"],
  ["@group(0) @binding(2)", "@binding(2) @group(0)", 'x.wgsl:6: expected "@group(0) @binding(n)'],
  ["@binding(2)", "@binding(1)", "x.wgsl:6:23 error: entry point 'main' references multiple variables"],
])("lint finds %j -> %j", async (from, to, message) => {
  expect(good).toContain(from);
  const found = await lintWgsl(device, "x.wgsl", good.replace(from, to));
  expect(found[0]).toContain(message);
});

describe("parseWgsl", () => {
  test("reads bindings, uniform, overrides and entry points", () => {
    const text = `
      override WG = 64u;  override SCALE: f32 = 1e-3f;  override LATE: u32;  override TWICE: u32 = WG * 2u;
      struct Dims { R: u32, eps: f32, /* shift: i32, */ start: i32, }
      // @group(0) @binding(9) is only spoken of here
      @group(0) @binding(4) var<uniform> dims: Dims;
      @group(0) @binding(0) var<storage> x: array<vec4<f32>>;  // [R, HS / 2], four at a time
      @group(0) @binding(1) var<storage, read_write> n: array<atomic<u32>>;  // []
      @group(0) @binding(2) var<storage, read_write> t: array<i32>;
      @compute @workgroup_size(WG, 1) fn first() {}
      /* @compute @workgroup_size(1) fn none() {} */
      @compute @workgroup_size(WG)
      fn second() {}`;
    const { bindings, ...rest } = parseWgsl("x.wgsl", text);
    expect(bindings.map(({ name, index, access, type, axes }) => [name, index, access, type, axes])).toEqual([
      ["x", 0, "read", "f32", "R,HS/2"],
      ["n", 1, "read_write", "u32", ""],
      ["t", 2, "read_write", "i32", undefined],
    ]);
    expect(rest).toEqual({
      dims: [
        { name: "R", type: "u32" },
        { name: "eps", type: "f32" },
        { name: "start", type: "i32" },
      ],
      dimsIndex: 4,
      entries: ["first", "second"],
      overrides: [
        { name: "WG", value: 64 },
        { name: "SCALE", value: 1e-3 },
        { name: "LATE", value: undefined },
        { name: "TWICE", value: undefined },
      ],
    });
  });

  test.each([
    ["@group(0) @binding(0) var<uniform> dims: vec4<u32>;", "x.wgsl:1: the uniform is vec4<u32>, expected a struct"],
    ["struct D { v: vec4<f32> }\n@group(0) @binding(0) var<uniform> dims: D;", 'D has "v: vec4<f32>", expected name'],
    ["@group(0) @binding(0) var<storage> m: array<mat4x4<f32>>;", "x.wgsl:1: m is array<mat4x4<f32>>, expected"],
    ["@group(1) @binding(0) var<storage> m: array<f32>;", "x.wgsl:1: expected"],
  ])("refuses %j", (text, message) => {
    expect(() => parseWgsl("x.wgsl", text)).toThrow(message);
  });
});

describe("axes", () => {
  test("a letter has one length, halves and multiples follow it", () => {
    expect(resolveAxes({ q: "T,HS", cos: "T,HS/2" }, { q: [3, 8], cos: [3, 4] })).toEqual({ T: 3, HS: 8 });
    expect(resolveAxes({ cos: "T,HS/2", n: "2,C*3" }, { cos: [3, 4], n: [2, 15] })).toEqual({ T: 3, HS: 8, C: 5 });
    expect(resolveAxes({ s: "" }, { s: [] }, { V: 7 })).toEqual({ V: 7 });
    expect(shapeFrom("cos", "T,HS/2,1", { T: 0, HS: 8 })).toEqual([0, 4, 1]);
    expect(lettersOf("T,HS/2,4")).toEqual(["T", "HS"]);
  });

  test.each([
    [{ q: "T,HS", cos: "T,HS/2" }, { q: [3, 8], cos: [3, 8] }, "cos has shape [3,8], expected [T,HS/2] with T=3, HS=8"],
    [{ q: "T,HS", cos: "T,HS/2" }, { q: [3, 5], cos: [3, 2] }, "cos has shape [3,2], expected [T,HS/2]"],
    [{ x: "R", s: "1" }, { x: [3], s: [2] }, "s has shape [2], expected [1]"],
    [{ x: "C*3" }, { x: [10] }, "x has shape [10], expected [C*3]"],
    [{ x: "R,F-1" }, { x: [3, 2] }, 'axis "F-1" is not a letter'],
  ])("refuses %j with %j", (specs, shapes, message) => {
    expect(() => resolveAxes(specs as never, shapes as never)).toThrow(message);
  });

  test("an output's length must be whole", () => {
    expect(() => shapeFrom("cos", "HS/2", { HS: 5 })).toThrow("cos: axis HS/2 with HS=5 is not a length");
    expect(() => shapeFrom("y", "V", {})).toThrow("y: axis V with V=undefined is not a length");
  });
});
