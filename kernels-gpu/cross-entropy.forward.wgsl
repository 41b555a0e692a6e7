// Cross-entropy forward:  lse[r] = log(sum over v of exp(logits[r, v])),  loss = mean over n of lse[r] - logits[r, targets[r]],
// where n targets are not ignored; loss = 0 if n = 0.
//
// rows: one workgroup per row, in two strided passes over its logits: the maximum, then the sum. mean: one workgroup in all,
// so that the rows are added in the same order every time. targets[r] is a class in [0, V), or ignoreIndex.
override WG: u32 = 64;
struct Dims { R: u32, V: u32, ignoreIndex: i32 }
@group(0) @binding(0) var<uniform>             dims:      Dims;
@group(0) @binding(1) var<storage, read>       logits:    array<f32>;  // [R, V]
@group(0) @binding(2) var<storage, read>       targets:   array<i32>;  // [R]
@group(0) @binding(3) var<storage, read_write> lse:       array<f32>;  // [R]
@group(0) @binding(4) var<storage, read_write> rowLosses: array<f32>;  // [R]
@group(0) @binding(5) var<storage, read_write> loss:      array<f32>;  // []

const LOWEST = -0x1.fffffep+127f;

var<workgroup> lanes:  array<f32, WG>;
var<workgroup> counts: array<u32, WG>;

// A tree over the lanes: each step halves those that are left, rounded up, so WG need not be a power of two.
fn maximumOfLanes(lane: u32) -> f32 {
  for (var left = WG; left > 1;) {
    let half = (left + 1) / 2;
    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] = max(lanes[lane], lanes[lane + half]); }
    left = half;
  }
  return workgroupUniformLoad(&lanes[0]);
}

fn sumOfLanes(lane: u32) -> f32 {
  for (var left = WG; left > 1;) {
    let half = (left + 1) / 2;
    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] += lanes[lane + half]; }
    left = half;
  }
  return workgroupUniformLoad(&lanes[0]);
}

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let r = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (r >= dims.R) { return; }

  // 1. The row's maximum: what is left of it in the exponent is at most 0, so nothing overflows.
  var largest = LOWEST;
  for (var v = lane; v < dims.V; v += WG) { largest = max(largest, logits[r * dims.V + v]); }
  lanes[lane] = largest;
  let m = maximumOfLanes(lane);

  // 2. The sum of exp(logit - m), at least 1.
  var sum = 0.0;
  for (var v = lane; v < dims.V; v += WG) { sum += exp(logits[r * dims.V + v] - m); }
  lanes[lane] = sum;
  let logSum = log(sumOfLanes(lane));

  // 3. lse, and the row's share of the loss: not from lse, whose rounding would be that of m.
  if (lane == 0) {
    lse[r] = m + logSum;
    var rowLoss = 0.0;
    if (targets[r] != dims.ignoreIndex) { rowLoss = logSum - (logits[r * dims.V + u32(targets[r])] - m); }
    rowLosses[r] = rowLoss;
  }
}

@compute @workgroup_size(WG)
fn mean(@builtin(local_invocation_index) lane: u32) {
  // 4. Each lane adds every WG-th row and counts its targets.
  var sum = 0.0;
  var count = 0u;
  for (var r = lane; r < dims.R; r += WG) {
    sum += rowLosses[r];
    count += select(0u, 1u, targets[r] != dims.ignoreIndex);
  }
  lanes[lane] = sum;
  counts[lane] = count;
  let total = sumOfLanes(lane);

  // 5. The mean. The barriers of the sum have also let the counts be written.
  if (lane == 0) {
    var n = 0u;
    for (var i = 0u; i < WG; i++) { n += counts[i]; }
    loss[0] = total / f32(max(n, 1));  // without targets every row's loss is 0
  }
}
