// y = x.  One invocation per element.
struct Dims { N: u32 }
@group(0) @binding(0) var<uniform>             dims:    Dims;
@group(0) @binding(1) var<storage, read>       x:       array<f32>;  // [N]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [N]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let n = id.x + id.y * groups.x * 64;
  if (n < dims.N) { y[n] = x[n]; }
}
