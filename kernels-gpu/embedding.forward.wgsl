// Embedding forward:  y[r] = w[tokens[r]].  One invocation per element.
override WG: u32 = 64;
struct Dims { R: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims:   Dims;
@group(0) @binding(1) var<storage, read>       tokens: array<i32>;  // [R], each below V
@group(0) @binding(2) var<storage, read>       w:      array<f32>;  // [V, C]
@group(0) @binding(3) var<storage, read_write> y:      array<f32>;  // [R, C]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (i >= dims.R * dims.C) { return; }  // the last workgroup may overhang
  let r = i / dims.C;
  let c = i % dims.C;
  y[i] = w[u32(tokens[r]) * dims.C + c];
}
