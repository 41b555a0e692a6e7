// Cast:  y = x; the rounding is in how y is stored.  One invocation per element.
override WG: u32 = 64;
struct Dims { N: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [N]
@group(0) @binding(2) var<storage, read_write> y:    array<f32>;  // [N]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;  // the second axis takes what exceeds 65,535 workgroups
  if (i >= dims.N) { return; }          // the last workgroup may overhang
  y[i] = x[i];
}
