import { expect, test } from "vitest";
import { defineKernel, type KernelOptions } from "../../../kernels-gpu/device/kernel.ts";
import { lookForRaces } from "../../../kernels-gpu/races/index.ts";
import { tensor } from "../../../reference/tensor.ts";

const head = `
override WG: u32 = 4;
struct Dims { N: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;  // [N]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [N]
var<workgroup> tile: array<f32, WG>;
var<workgroup> pairs: array<vec2<f32>, WG>;
var<workgroup> counter: atomic<u32>;
var<private> seen: u32;
`;
const entry = `
@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) `;

type Options = KernelOptions<{ x: "N" }, { y: "N" }, never, { WG: number }>;

/** Runs 8 invocations in workgroups of 4 on x = 0, 1, …, 7. */
function look(body: string, functions = "", options: Partial<Options> = {}, steps = 10_000) {
  const kernel = defineKernel({
    id: "small",
    source: `${head}${functions}${entry}{ ${body} }`,
    inputs: { x: "N" },
    outputs: { y: "N" },
    overrides: { WG: 4 },
    workgroups: ({ N, WG }) => [Math.ceil(N / WG)],
    ...options,
  });
  const x = tensor(
    Float32Array.from({ length: 8 }, (_, i) => i),
    [8],
  );
  return lookForRaces(kernel, { x }, {}, { steps });
}

test("a race is told with its lines, its place, its invocations and its interval", () => {
  const { races } = look(`tile[lane] = x[id.x];
    y[id.x] = tile[(lane + 1) % WG];`);
  expect(races).toEqual([
    "small.wgsl: race on tile[1]: line 14 reads it in invocation (0, 0, 0) of workgroup (0, 0, 0), line 13 writes it in invocation (1, 0, 0) of workgroup (0, 0, 0), and since the workgroup began no barrier of workgroup memory has come between them",
    "small.wgsl: race on tile[0]: line 13 writes it in invocation (0, 0, 0) of workgroup (0, 0, 0), line 14 reads it in invocation (3, 0, 0) of workgroup (0, 0, 0), and since the workgroup began no barrier of workgroup memory has come between them",
  ]);
});

test("a barrier orders, for the memory that it is of", () => {
  expect(look("tile[lane] = x[id.x]; workgroupBarrier(); y[id.x] = tile[(lane + 1) % WG];").races).toEqual([]);
  expect(look("tile[lane] = x[id.x]; storageBarrier(); y[id.x] = tile[(lane + 1) % WG];").races).not.toEqual([]);
  const shares = (barrier: string) =>
    look(`y[id.x] = x[id.x]; ${barrier}(); let other = y[id.x ^ 1u]; _ = other;`).races;
  expect(shares("storageBarrier")).toEqual([]);
  expect(shares("workgroupBarrier")).not.toEqual([]);
});

test("workgroups that write one element race, whatever barriers there are", () => {
  const { races } = look("storageBarrier(); if (lane == 0u) { y[0] = x[id.x]; }");
  expect(races).toHaveLength(1);
  expect(races[0]).toMatch(
    /race on y\[0\]: .*workgroup \(0, 0, 0\), .*workgroup \(1, 0, 0\), and nothing orders workgroups/,
  );
});

test("writing components of one vector is a race, reading them is none", () => {
  expect(look("pairs[lane / 2u][lane % 2u] = x[id.x]; y[id.x] = 0;").races).not.toEqual([]);
  const read = "pairs[lane] = vec2(x[id.x]); workgroupBarrier(); y[id.x] = pairs[lane / 2u][lane % 2u];";
  expect(look(read).races).toEqual([]);
});

test("a barrier that not all invocations reach is told", () => {
  expect(look("if (lane < 2u) { workgroupBarrier(); } y[id.x] = 0;").races).toEqual([
    "small.wgsl: not all invocations come to workgroupBarrier() on line 13: invocation (0, 0, 0) of workgroup (0, 0, 0) waits there, invocation (2, 0, 0) has returned",
    "small.wgsl: not all invocations come to workgroupBarrier() on line 13: invocation (0, 0, 0) of workgroup (1, 0, 0) waits there, invocation (2, 0, 0) has returned",
  ]);
});

test("what depends on the order of atomic accesses is told, and is no race", () => {
  const rank = look("y[id.x] = f32(atomicAdd(&counter, 1u));");
  expect(rank.races).toEqual([]);
  expect(rank.unordered).toEqual(["y[0] depends on the order of the invocations: 0 or, in reverse, 3"]);
  const sum = look("atomicAdd(&counter, lane); workgroupBarrier(); y[id.x] = f32(atomicLoad(&counter));");
  expect(sum).toMatchObject({ races: [], unordered: [] });
  expect([...sum.outputs!.y!.data]).toEqual(Array(8).fill(6));
});

test("statements, functions, pointers and structs compute what they say", () => {
  const functions = `
struct Pair { low: u32, high: vec2<f32> }
const TABLE = array<u32, 3>(5, 7, 9);
fn twice(p: ptr<function, f32>) { *p *= 2; }
fn first(p: ptr<workgroup, array<f32, WG>>) -> f32 { workgroupBarrier(); return (*p)[0]; }
fn pick(i: u32) -> u32 { switch i { case 0: { return 10; } case 1, 2: { return 20; } default: { break; } } return 30; }
`;
  const { races, stopped, outputs } = look(
    `tile[lane] = x[id.x];
     let begun = first(&tile);
     var v = f32(i32(pick(lane)) / -3 + 7 % 4) + begun;
     twice(&v);
     var pair = Pair(TABLE[lane % 3u], vec2(1.5, 2.5).yx);
     pair.high.x += f32(pair.low);
     let copy = pair;
     pair.high.x = 0;
     seen = lane;
     loop { if (seen > 6u) { break; } continuing { seen += 4u; break if seen > 100u; } }
     for (var i = 0u; ; i++) { if (i == 2u) { continue; } if (i > 3u) { break; } v += f32(i); }
     while (v < 0.0 && all(vec2(true) == vec2(v < 0))) { v += 0x1p-1f; }
     y[id.x] = v + 1000 * copy.high.x + 100 * f32(seen) + select(0.25, 0.5, any(copy.high > vec2(7.0)));`,
    functions,
  );
  expect({ races, stopped }).toEqual({ races: [], stopped: undefined });
  // v: 2(trunc(p / −3) + 3 + begun) + 4, raised from below zero in halves; copy.high.x: 2.5 + table; seen: lane in steps of 4 beyond 6.
  const expected = [0, 4].flatMap((begun) =>
    [0, 1, 2, 3].map((lane) => {
      const picked = [10, 20, 20, 30][lane]!;
      const v = Math.max(0, 2 * (Math.trunc(picked / -3) + 3 + begun) + 4);
      const table = [5, 7, 9][lane % 3]!;
      return v + 1000 * (2.5 + table) + 100 * [8, 9, 10, 7][lane]! + 0.5;
    }),
  );
  expect([...outputs!.y!.data]).toEqual(expected);
});

test("operators group as WGSL says, after a right operand that binds tighter too", () => {
  const { outputs } = look(`let a = lane < 2u && lane + 1u < 2u;
    let b = false || lane * 2u == 4u && lane - 1u >= 1u;
    y[id.x] = f32(u32(a) + 2 * u32(b)) - 1 - 1 * 2 + 8 / 2 / 2;`);
  expect([...outputs!.y!.data].slice(0, 4)).toEqual([0, -1, 1, -1]);
});

test("what is not interpreted, and a kernel that does not end, are said, not judged", () => {
  expect(look("y[id.x] = determinant(mat2x2<f32>(x[0], x[1], x[2], x[3]));")).toMatchObject({
    races: [],
    stopped: "line 13: mat2x2() is not interpreted",
  });
  expect(look("loop { seen++; }").stopped).toBe("the kernel takes more steps than are interpreted");
});

/** Meets barriers, and leaves none after its last one. */
const waitingSum = `
var<workgroup> sums: array<f32, WG>;
fn total(lane: u32, v: f32) -> f32 {
  sums[lane] = v;
  workgroupBarrier();
  let t = sums[0] + sums[1];
  workgroupBarrier();
  return t;
}
`;

test("what is to the left of a call that meets barriers is read before them, what is to the right after them", () => {
  const begin = "tile[lane] = x[id.x]; pairs[lane] = vec2(x[id.x]); workgroupBarrier(); let next = (lane + 1u) % WG;";
  const races = (statement: string) =>
    look(`${begin} ${statement} tile[lane] = y[id.x];`, waitingSum).races.filter((race) => race.includes("on tile"));
  for (const before of [
    "y[id.x] = tile[next] + total(lane, 1.0);",
    "y[id.x] = max(2.0 * tile[next], total(lane, 1.0) + pairs[next].x);",
    "y[id.x] = vec2(tile[next], total(lane, 1.0)).x;",
    "y[id.x] = total(lane, tile[next]);",
    "y[id.x] = total(lane, 1.0) + tile[next] + total(lane, 2.0);",
    "y[id.x] = total(u32(tile[next] * 0.0) + lane, total(lane, 2.0));",
    "y[id.x] = select(0.0, 1.0, tile[next] < workgroupUniformLoad(&sums[0]));",
    "var parts = array(1.0, 2.0); parts[u32(tile[next]) % 2u] += total(lane, 1.0); y[id.x] = parts[0];",
    "if (tile[next] < total(lane, 1.0)) { y[id.x] = 1.0; } else { y[id.x] = 2.0; }",
  ])
    expect(races(before), before).toEqual([]);
  for (const after of [
    "y[id.x] = total(lane, 1.0) + tile[next];",
    "y[id.x] = max(total(lane, 1.0), tile[next]);",
    "y[id.x] = tile[(next + u32(total(lane, 0.0))) % WG];",
  ])
    expect(races(after), after).not.toEqual([]);
});

test("an element of memory to which a call's result is added is read before the call", () => {
  const { races } = look(
    `tile[lane] = 1.0; workgroupBarrier();
    tile[(lane + 1u) % WG] += total(lane, x[id.x]);
    workgroupBarrier();
    y[id.x] = tile[lane];`,
    waitingSum,
  );
  expect(races).toEqual([]);
});

test("a pointer to a variable of a function is followed where it is indexed, or a member is named", () => {
  const functions = `
    struct At { place: u32, both: array<u32, 2> }
    fn step(p: ptr<function, At>, by: u32) -> u32 { p.place += by; p.both[1] = p.place; return p.both[1]; }
    fn second(p: ptr<function, vec2<u32>>, v: u32) -> u32 { p[1] = v; p.x = 9u; return p.y + (*p)[0] - 9u; }`;
  const { races, stopped } = look(
    `var at = At(0u, array(0u, 0u));
    var pair: vec2<u32>;
    tile[step(&at, lane)] = x[id.x];
    workgroupBarrier();
    y[id.x] = tile[second(&pair, lane)];
    tile[second(&pair, lane)] = 0.0;`,
    functions,
  );
  expect([races, stopped]).toEqual([[], undefined]);
});
