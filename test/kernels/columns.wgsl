// The sum of each column in two passes:  partial[p,c] = sum over r = p, p+P, p+2P, … of x[r,c];  y[c] = sum over p of partial[p,c].
override WG: u32 = 64;
struct Dims { R: u32, C: u32, P: u32, scale: f32 }
@group(0) @binding(0) var<uniform>             dims:    Dims;
@group(0) @binding(1) var<storage, read>       x:       array<f32>;          // [R, C]
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;          // [P, C]
@group(0) @binding(3) var<storage, read_write> y:       array<f32>;          // [C], times scale
@group(0) @binding(4) var<storage, read_write> counts:  array<atomic<u32>>;  // [P]

@compute @workgroup_size(WG)
fn accumulate(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.P * dims.C) { return; }
  let p = id.x / dims.C;
  let c = id.x % dims.C;
  var sum = 0.0;
  for (var r = p; r < dims.R; r += dims.P) { sum += x[r * dims.C + c]; }
  partial[id.x] = sum;
  if (c == 0u) { atomicStore(&counts[p], (dims.R + dims.P - 1u - p) / dims.P); }
}

@compute @workgroup_size(WG)
fn finish(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.C) { return; }
  var sum = 0.0;
  for (var p = 0u; p < dims.P; p++) { sum += partial[p * dims.C + id.x]; }
  y[id.x] = sum * dims.scale;
}
