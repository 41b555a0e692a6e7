// RoPE forward:  y1 = x1 * cos - x2 * sin,  y2 = x1 * sin + x2 * cos  for each pair of a head.  One invocation per pair.
// Pair i of a head is elements (2i, 2i + 1) in the layout "adjacent", and (i, i + HS/2) if halfSplit is 1.
override WG: u32 = 64;
struct Dims { B: u32, T: u32, NH: u32, HS: u32, halfSplit: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [B, T, NH, HS]
@group(0) @binding(2) var<storage, read>       cos:  array<f32>;  // [T, HS/2]
@group(0) @binding(3) var<storage, read>       sin:  array<f32>;  // [T, HS/2]
@group(0) @binding(4) var<storage, read_write> y:    array<f32>;  // [B, T, NH, HS]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let p = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  let half = dims.HS / 2;
  if (p >= dims.B * dims.T * dims.NH * half) { return; }  // the last workgroup may overhang

  // 1. Where pair i of row (b, t, h) lies, and its angle.
  let i = p % half;
  let row = p / half;
  let t = row / dims.NH % dims.T;
  let adjacent = dims.halfSplit == 0;
  let first = row * dims.HS + select(i, 2 * i, adjacent);
  let second = first + select(half, 1, adjacent);
  let c = cos[t * half + i];
  let s = sin[t * half + i];

  // 2. The pair, turned.
  y[first] = x[first] * c - x[second] * s;
  y[second] = x[first] * s + x[second] * c;
}
