// RMSNorm backward, with n = x * rstd and dn = dy * w:
//   dx = rstd * (dn - n * mean over c of (dn * n)).  Entry main, one workgroup per row.
//   dw = sum over r of dy * n.                       Entry gain, one workgroup per tile of columns.
// Both sums are trees of a fixed shape, so the result is the same in every run.
override WG: u32 = 64;
override COLUMNS: u32 = 16;
override LANES: u32 = 8;
struct Dims { R: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       dy:   array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(3) var<storage, read>       w:    array<f32>;  // [C]
@group(0) @binding(4) var<storage, read>       rstd: array<f32>;  // [R]
@group(0) @binding(5) var<storage, read_write> dx:   array<f32>;  // [R, C]
@group(0) @binding(6) var<storage, read_write> dw:   array<f32>;  // [C]

var<workgroup> projections: array<f32, WG>;
var<workgroup> sums: array<f32, COLUMNS * LANES>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (r >= dims.R) { return; }           // the same for the whole workgroup, so all meet the barriers below
  let row = r * dims.C;
  let scale = rstd[r];

  // 1. Each lane's share of the projection of dn on n: c = lane, lane + WG, lane + 2 WG, ...
  var share = 0.0;
  for (var c = lane; c < dims.C; c += WG) { share += (dy[row + c] * w[c]) * (x[row + c] * scale); }

  // 2. The shares are added as a tree: the upper half of those left onto the lower half.
  projections[lane] = share;
  workgroupBarrier();
  for (var left = WG; left > 1; left = (left + 1) / 2) {
    let half = (left + 1) / 2;
    if (lane + half < left) { projections[lane] += projections[lane + half]; }
    workgroupBarrier();
  }

  // 3. The part of dn along n is taken out.
  let mean = projections[0] / f32(dims.C);
  for (var c = lane; c < dims.C; c += WG) {
    let n = x[row + c] * scale;
    dx[row + c] = scale * (dy[row + c] * w[c] - n * mean);
  }
}

@compute @workgroup_size(COLUMNS, LANES)
fn gain(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>) {
  let column = local.x;
  let c = (group.x + group.y * groups.x) * COLUMNS + column;

  // 1. Each lane's share of a column: r = lane, lane + LANES, lane + 2 LANES, ...
  var sum = 0.0;
  if (c < dims.C) {
    for (var r = local.y; r < dims.R; r += LANES) { sum += dy[r * dims.C + c] * (x[r * dims.C + c] * rstd[r]); }
  }

  // 2. The shares are added as a tree.
  sums[local.y * COLUMNS + column] = sum;
  workgroupBarrier();
  for (var left = LANES; left > 1; left = (left + 1) / 2) {
    let half = (left + 1) / 2;
    if (local.y + half < left) { sums[local.y * COLUMNS + column] += sums[(local.y + half) * COLUMNS + column]; }
    workgroupBarrier();
  }
  if (local.y == 0 && c < dims.C) { dw[c] = sums[column]; }  // the last workgroup may overhang
}
