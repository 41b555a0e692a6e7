// Softmax backward:  dx[r, c] = y[r, c] * (dy[r, c] - sum over c of dy[r, c] * y[r, c]).
//
// One workgroup per row, in two strided passes over it: the sum, and the gradients.
override WG: u32 = 64;
struct Dims { R: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       dy:   array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       y:    array<f32>;  // [R, C]
@group(0) @binding(3) var<storage, read_write> dx:   array<f32>;  // [R, C]

var<workgroup> lanes: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (r >= dims.R) { return; }           // the same for the whole workgroup, so all meet the barriers below
  let row = r * dims.C;

  // 1. Each lane's share of the sum: c = lane, lane + WG, lane + 2 WG, ...
  var share = 0.0;
  for (var c = lane; c < dims.C; c += WG) { share += dy[row + c] * y[row + c]; }

  // 2. The shares are added as a tree: the upper half of those left onto the lower half.
  lanes[lane] = share;
  for (var left = WG; left > 1;) {
    let half = (left + 1) / 2;
    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] += lanes[lane + half]; }
    left = half;
  }
  let projection = workgroupUniformLoad(&lanes[0]);

  // 3. What all elements share is taken out.
  for (var c = lane; c < dims.C; c += WG) { dx[row + c] = y[row + c] * (dy[row + c] - projection); }
}
