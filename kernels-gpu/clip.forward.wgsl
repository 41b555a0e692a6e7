// Clipping by the global norm:  clipped = g * min(1, maxNorm / (norm + 1e-6)).  One invocation per element.
override WG: u32 = 64;
struct Dims { N: u32, maxNorm: f32 }
@group(0) @binding(0) var<uniform>             dims:    Dims;
@group(0) @binding(1) var<storage, read>       g:       array<f32>;  // [N]
@group(0) @binding(2) var<storage, read>       norm:    array<f32>;  // []
@group(0) @binding(3) var<storage, read_write> clipped: array<f32>;  // [N]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let n = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (n >= dims.N) { return; }           // the last workgroup may overhang
  let wanted = dims.maxNorm / (norm[0] + 1e-6);  // a zero norm does not divide by zero
  let scale = select(wanted, 1.0, wanted >= 1.0);  // at most 1; a NaN stays one
  clipped[n] = g[n] * scale;
}
