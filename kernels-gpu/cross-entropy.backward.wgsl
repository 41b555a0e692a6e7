// Cross-entropy backward:  dlogits[r, v] = dloss / n * (exp(logits[r, v] - lse[r]) - [v = targets[r]]),  0 in an ignored row.
//
// count: one workgroup counts the n targets that are not ignored. gradient: one invocation per logit.
override WG: u32 = 64;
struct Dims { R: u32, V: u32, ignoreIndex: i32 }
@group(0) @binding(0) var<uniform>             dims:    Dims;
@group(0) @binding(1) var<storage, read>       dloss:   array<f32>;  // []
@group(0) @binding(2) var<storage, read>       logits:  array<f32>;  // [R, V]
@group(0) @binding(3) var<storage, read>       targets: array<i32>;  // [R]
@group(0) @binding(4) var<storage, read>       lse:     array<f32>;  // [R]
@group(0) @binding(5) var<storage, read_write> n:       array<u32>;  // []
@group(0) @binding(6) var<storage, read_write> dlogits: array<f32>;  // [R, V]

var<workgroup> total: atomic<u32>;

@compute @workgroup_size(WG)
fn count(@builtin(local_invocation_index) lane: u32) {
  // 1. Each lane counts every WG-th target; whole numbers add up to the same in any order.
  var counted = 0u;
  for (var r = lane; r < dims.R; r += WG) { counted += select(0u, 1u, targets[r] != dims.ignoreIndex); }
  atomicAdd(&total, counted);
  workgroupBarrier();  // every lane has added
  if (lane == 0) { n[0] = atomicLoad(&total); }
}

@compute @workgroup_size(WG)
fn gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (i >= dims.R * dims.V) { return; }  // the last workgroup may overhang
  let r = i / dims.V;
  let v = i % dims.V;

  // 2. A row that does not count has no gradient, and n may be 0.
  if (targets[r] == dims.ignoreIndex) {
    dlogits[i] = 0.0;
    return;
  }

  // 3. The probability, less one at the target.
  let p = exp(logits[i] - lse[r]);
  dlogits[i] = dloss[0] / f32(n[0]) * (p - select(0.0, 1.0, i32(v) == targets[r]));
}
