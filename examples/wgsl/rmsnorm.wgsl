// RMSNorm forward:  rstd = 1 / sqrt(mean of x * x + eps),  y = x * rstd * w.  One workgroup a row.
override WG: u32 = 64;
struct Dims { R: u32, C: u32, eps: f32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       w:    array<f32>;  // [C]
@group(0) @binding(3) var<storage, read_write> y:    array<f32>;  // [R, C]
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;  // [R]

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 rows
  if (r >= dims.R) { return; }           // the same for the whole workgroup

  // 1. Each lane sums the squares of its channels.
  var squares = 0.0;
  for (var c = lane; c < dims.C; c += WG) {
    let v = x[r * dims.C + c];
    squares += v * v;
  }
  partial[lane] = squares;
  workgroupBarrier();

  // 2. The lanes' sums in a tree.
  for (var half = WG / 2; half > 0; half /= 2) {
    if (lane < half) { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }

  // 3. The row.
  let scale = inverseSqrt(partial[0] / f32(dims.C) + dims.eps);
  for (var c = lane; c < dims.C; c += WG) {
    y[r * dims.C + c] = x[r * dims.C + c] * scale * w[c];
  }
  if (lane == 0) { rstd[r] = scale; }
}
