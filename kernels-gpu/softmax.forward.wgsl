// Softmax forward:  y[r, c] = exp(x[r, c] - m) / sum over c of exp(x[r, c] - m),  m the maximum of row r.
//
// One workgroup per row, in three strided passes over it: the maximum, the sum, and the quotients.
override WG: u32 = 64;
struct Dims { R: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read_write> y:    array<f32>;  // [R, C]

const LOWEST = -0x1.fffffep+127f;

var<workgroup> lanes: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (r >= dims.R) { return; }           // the same for the whole workgroup, so all meet the barriers below
  let row = r * dims.C;

  // 1. The row's maximum: what is left of it in the exponent is at most 0, so nothing overflows.
  var largest = LOWEST;
  for (var c = lane; c < dims.C; c += WG) { largest = max(largest, x[row + c]); }
  lanes[lane] = largest;
  for (var left = WG; left > 1;) {
    let half = (left + 1) / 2;
    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] = max(lanes[lane], lanes[lane + half]); }
    left = half;
  }
  let m = workgroupUniformLoad(&lanes[0]);

  // 2. The sum of exp(x - m), at least 1, as a tree over the lanes: the upper half of those left onto the lower half.
  var sum = 0.0;
  for (var c = lane; c < dims.C; c += WG) { sum += exp(x[row + c] - m); }
  lanes[lane] = sum;
  for (var left = WG; left > 1;) {
    let half = (left + 1) / 2;
    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] += lanes[lane + half]; }
    left = half;
  }
  let total = workgroupUniformLoad(&lanes[0]);

  // 3. Each element's share.
  for (var c = lane; c < dims.C; c += WG) { y[row + c] = exp(x[row + c] - m) / total; }
}
