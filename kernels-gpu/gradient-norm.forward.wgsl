// The gradient norm:  norm = sqrt(sum of g * g).  Two dispatches: squares adds up a share of the elements in each of P
// workgroups, total adds up the P shares in one. The order of the additions depends on nothing but N, P and WG.
override WG: u32 = 64;
struct Dims { N: u32, P: u32 }
@group(0) @binding(0) var<uniform>             dims:  Dims;
@group(0) @binding(1) var<storage, read>       g:     array<f32>;  // [N]
@group(0) @binding(2) var<storage, read_write> sums:  array<f32>;  // [P]
@group(0) @binding(3) var<storage, read>       parts: array<f32>;  // [P]
@group(0) @binding(4) var<storage, read_write> norm:  array<f32>;  // []

var<workgroup> lanes: array<f32, WG>;

// The sum of the workgroup's lanes, in lane 0, pairwise; any number of lanes.
fn add_lanes(lane: u32, mine: f32) -> f32 {
  lanes[lane] = mine;
  workgroupBarrier();
  for (var n = WG; n > 1; n = (n + 1) / 2) {
    let upper = lane + (n + 1) / 2;
    if (upper < n) { lanes[lane] += lanes[upper]; }
    workgroupBarrier();
  }
  return lanes[0];
}

@compute @workgroup_size(WG)
fn squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // 1. Each lane of all workgroups adds up every (P * WG)-th square.
  var sum = 0.0;
  for (var n = group.x * WG + lane; n < dims.N; n += dims.P * WG) { sum += g[n] * g[n]; }

  // 2. The workgroup's share.
  let share = add_lanes(lane, sum);
  if (lane == 0) { sums[group.x] = share; }
}

@compute @workgroup_size(WG)
fn total(@builtin(local_invocation_index) lane: u32) {
  // 3. Each lane adds up every WG-th share.
  var sum = 0.0;
  for (var p = lane; p < dims.P; p += WG) { sum += parts[p]; }

  // 4. The root. WGSL promises nothing about sqrt below 2^-126. A NaN compares with nothing, so it stays one.
  let whole = add_lanes(lane, sum);
  if (lane == 0) { norm[0] = select(sqrt(whole), 0.0, whole < 0x1p-126); }
}
