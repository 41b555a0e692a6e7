// Embedding backward:  dw[v,c] = sum over r with tokens[r] = v of dy[r,c].
// One workgroup per row v of the table and tile of WG columns. A token that occurs twice collects both gradients, one that
// never occurs gets 0. Floats are added by one invocation in ascending r, so the result is the same in every run.
override WG: u32 = 64;
struct Dims { R: u32, C: u32, V: u32 }
@group(0) @binding(0) var<uniform>             dims:   Dims;
@group(0) @binding(1) var<storage, read>       dy:     array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       tokens: array<i32>;  // [R], each below V
@group(0) @binding(3) var<storage, read_write> dw:     array<f32>;  // [V, C]

var<workgroup> found: array<atomic<u32>, (WG + 31) / 32>;  // one bit for each of WG tokens: whether it is v

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let tiles = (dims.C + WG - 1) / WG;
  let tile = group.x + group.y * groups.x;  // the second axis takes what exceeds 65,535 workgroups
  if (tile >= dims.V * tiles) { return; }   // the same for the whole workgroup, so all meet the barriers below
  let v = tile / tiles;
  let c = tile % tiles * WG + lane;
  let words = (WG + 31) / 32;

  var sum = 0.0;
  for (var base = 0u; base < dims.R; base += WG) {
    // 1. Which of the next WG tokens are v: one comparison for each invocation.
    if (lane < words) { atomicStore(&found[lane], 0u); }
    workgroupBarrier();
    let r = base + lane;
    if (r < dims.R && u32(tokens[r]) == v) { atomicOr(&found[lane / 32], 1u << (lane % 32)); }
    workgroupBarrier();

    // 2. Their rows of dy, in ascending order.
    if (c < dims.C) {
      for (var word = 0u; word < words; word++) {
        for (var rest = atomicLoad(&found[word]); rest != 0u; rest &= rest - 1u) {
          let hit = base + 32 * word + firstTrailingBit(rest);
          sum += dy[hit * dims.C + c];
        }
      }
    }
    workgroupBarrier();
  }
  if (c < dims.C) { dw[v * dims.C + c] = sum; }
}
