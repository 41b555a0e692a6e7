// SwiGLU forward:  y = silu(gate) * up,  silu(z) = z * s(z),  s(z) = 1 / (1 + exp(-z)).  One invocation per element.
override WG: u32 = 64;
struct Dims { R: u32, F: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       gate: array<f32>;  // [R, F]
@group(0) @binding(2) var<storage, read>       up:   array<f32>;  // [R, F]
@group(0) @binding(3) var<storage, read_write> y:    array<f32>;  // [R, F]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (i >= dims.R * dims.F) { return; }  // the last workgroup may overhang
  let e = exp(-abs(gate[i]));            // at most 1, so it cannot overflow
  y[i] = gate[i] * select(1.0, e, gate[i] < 0.0) / (1.0 + e) * up[i];
}
