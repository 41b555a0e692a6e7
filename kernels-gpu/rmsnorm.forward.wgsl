// RMSNorm forward:  rstd = 1 / sqrt(mean over c of x^2 + eps),  y = x * rstd * w.  One workgroup per row.
override WG: u32 = 64;
struct Dims { R: u32, C: u32, eps: f32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       w:    array<f32>;  // [C]
@group(0) @binding(3) var<storage, read_write> y:    array<f32>;  // [R, C]
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;  // [R]

var<workgroup> squares: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (r >= dims.R) { return; }           // the same for the whole workgroup, so all meet the barriers below
  let row = r * dims.C;

  // 1. Each lane's share of the sum of squares: c = lane, lane + WG, lane + 2 WG, ...
  var share = 0.0;
  for (var c = lane; c < dims.C; c += WG) { share += x[row + c] * x[row + c]; }

  // 2. The shares are added as a tree: the upper half of those left onto the lower half.
  squares[lane] = share;
  workgroupBarrier();
  for (var left = WG; left > 1; left = (left + 1) / 2) {
    let half = (left + 1) / 2;
    if (lane + half < left) { squares[lane] += squares[lane + half]; }
    workgroupBarrier();
  }

  // 3. Scale the row.
  let scale = inverseSqrt(squares[0] / f32(dims.C) + dims.eps);
  if (lane == 0) { rstd[r] = scale; }
  for (var c = lane; c < dims.C; c += WG) { y[row + c] = x[row + c] * scale * w[c]; }
}
