// SwiGLU backward:  dgate = dy * up * s(g) * (1 + g * (1 - s(g))),  dup = dy * silu(g),  g = gate,  s(g) = 1 / (1 + exp(-g)).
// One invocation per element. 1 - s(g) = s(-g) is computed as such: the difference would cancel for large g.
override WG: u32 = 64;
struct Dims { R: u32, F: u32 }
@group(0) @binding(0) var<uniform>             dims:  Dims;
@group(0) @binding(1) var<storage, read>       dy:    array<f32>;  // [R, F]
@group(0) @binding(2) var<storage, read>       gate:  array<f32>;  // [R, F]
@group(0) @binding(3) var<storage, read>       up:    array<f32>;  // [R, F]
@group(0) @binding(4) var<storage, read_write> dgate: array<f32>;  // [R, F]
@group(0) @binding(5) var<storage, read_write> dup:   array<f32>;  // [R, F]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (i >= dims.R * dims.F) { return; }  // the last workgroup may overhang

  // 1. s(g) and s(-g) from one exponential that is at most 1, so it cannot overflow.
  let g = gate[i];
  let e = exp(-abs(g));
  let s = select(1.0, e, g < 0.0) / (1.0 + e);
  let t = select(e, 1.0, g < 0.0) / (1.0 + e);

  // 2. The two gradients.
  dgate[i] = dy[i] * up[i] * s * (1.0 + g * t);
  dup[i] = dy[i] * (g * s);
}
