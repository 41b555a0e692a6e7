// Attention backward:  p[t, j] = exp(s[t, j] - lse[t]),  s[t, j] = q[t] . k[j] / sqrt(HS) for keys j <= t + S - T,
//                      ds[t, j] = p[t, j] * (dy[t] . v[j] - D[t]),  D[t] = dy[t] . y[t],
//                      dq[t] = sum over j of ds[t, j] * k[j] / sqrt(HS),
//                      dk[j] = sum over t of ds[t, j] * q[t] / sqrt(HS),  dv[j] = sum over t of p[t, j] * dy[t].
//
// Three passes (Dao et al. 2022): rowSums for D; gradientOfQ, where a workgroup takes ROWS queries and meets the keys in
// tiles of TILE; gradientOfKV, where it takes ROWS keys and meets the queries of all heads of their group. An invocation
// adds up each TILE-th of TILE * DIMS elements of its row. Tiles in which nothing is visible are left out.
override ROWS: u32 = 4;
override TILE: u32 = 16;
const DIMS = 4u;
struct Dims { B: u32, T: u32, NH: u32, HS: u32, S: u32, NKV: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       dy:   array<f32>;  // [B, T, NH, HS]
@group(0) @binding(2) var<storage, read>       q:    array<f32>;  // [B, T, NH, HS]
@group(0) @binding(3) var<storage, read>       k:    array<f32>;  // [B, S, NKV, HS]
@group(0) @binding(4) var<storage, read>       v:    array<f32>;  // [B, S, NKV, HS]
@group(0) @binding(5) var<storage, read>       y:    array<f32>;  // [B, T, NH, HS]
@group(0) @binding(6) var<storage, read>       lse:  array<f32>;  // [B, NH, T]
@group(0) @binding(7) var<storage, read_write> D:    array<f32>;  // [B, NH, T]
@group(0) @binding(8) var<storage, read_write> dq:   array<f32>;  // [B, T, NH, HS]
@group(0) @binding(9) var<storage, read_write> dk:   array<f32>;  // [B, S, NKV, HS]
@group(0) @binding(10) var<storage, read_write> dv:  array<f32>;  // [B, S, NKV, HS]

var<workgroup> p: array<f32, ROWS * TILE>;   // [ROWS, TILE]
var<workgroup> ds: array<f32, ROWS * TILE>;  // [ROWS, TILE]

// Where the vectors of a query and of a key begin, and a query's place in lse and D.
fn queryAt(b: u32, t: u32, h: u32) -> u32 { return ((b * dims.T + t) * dims.NH + h) * dims.HS; }
fn keyAt(b: u32, j: u32, group: u32) -> u32 { return ((b * dims.S + j) * dims.NKV + group) * dims.HS; }
fn statisticAt(b: u32, t: u32, h: u32) -> u32 { return (b * dims.NH + h) * dims.T + t; }

fn scale() -> f32 { return inverseSqrt(f32(dims.HS)); }

// p and ds of one query and one key, with the scale in ds.
fn pair(query: u32, key: u32, statistic: u32) -> vec2<f32> {
  var s = 0.0;
  var dp = 0.0;
  for (var i = 0u; i < dims.HS; i++) {
    s += q[query + i] * k[key + i];
    dp += dy[query + i] * v[key + i];
  }
  let weight = exp(scale() * s - lse[statistic]);
  return vec2(weight, scale() * weight * (dp - D[statistic]));
}

@compute @workgroup_size(ROWS * TILE)
fn rowSums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = id.x + id.y * groups.x * ROWS * TILE;  // the second axis takes what exceeds 65,535 workgroups
  if (row >= dims.B * dims.T * dims.NH) { return; }
  var sum = 0.0;
  for (var i = 0u; i < dims.HS; i++) { sum += dy[row * dims.HS + i] * y[row * dims.HS + i]; }
  D[statisticAt(row / dims.NH / dims.T, row / dims.NH % dims.T, row % dims.NH)] = sum;
}

@compute @workgroup_size(TILE, ROWS)
fn gradientOfQ(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>) {
  // 1. Which part of dq.
  let parts = (dims.HS + TILE * DIMS - 1) / (TILE * DIMS);
  let tiles = (dims.T + ROWS - 1) / ROWS;
  let part = group.x + group.y * groups.x;
  if (part >= dims.B * dims.NH * tiles * parts) { return; }
  let firstI = part % parts * TILE * DIMS + local.x;
  let firstT = part / parts % tiles * ROWS;
  let h = part / parts / tiles % dims.NH;
  let b = part / parts / tiles / dims.NH;
  let kv = h * dims.NKV / dims.NH;
  let t = firstT + local.y;
  let keys = select(0, max(t + 1 + dims.S, dims.T) - dims.T, t < dims.T);    // that this query sees,
  let last = max(min(firstT + ROWS, dims.T) + dims.S, dims.T) - dims.T;      // and any of the workgroup
  let row = local.y * TILE;

  var sums: array<f32, DIMS>;
  for (var first = 0u; first < last; first += TILE) {
    // 2. One ds each; masked keys are not read.
    let j = first + local.x;
    if (j < keys) { ds[row + local.x] = pair(queryAt(b, t, h), keyAt(b, j, kv), statisticAt(b, t, h)).y; }
    workgroupBarrier();  // the tile is full

    // 3. Add the keys that this query sees.
    for (var c = 0u; c < TILE && first + c < keys; c++) {
      for (var d = 0u; d < DIMS; d++) {
        let i = firstI + d * TILE;
        if (i < dims.HS) { sums[d] += ds[row + c] * k[keyAt(b, first + c, kv) + i]; }
      }
    }
    workgroupBarrier();  // the tile may be filled anew
  }

  // 4. A query that sees no key has dq = 0.
  for (var d = 0u; d < DIMS; d++) {
    let i = firstI + d * TILE;
    if (t < dims.T && i < dims.HS) { dq[queryAt(b, t, h) + i] = sums[d]; }
  }
}

@compute @workgroup_size(TILE, ROWS)
fn gradientOfKV(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_id) local: vec3<u32>) {
  // 1. Which part of dk and dv.
  let parts = (dims.HS + TILE * DIMS - 1) / (TILE * DIMS);
  let tiles = (dims.S + ROWS - 1) / ROWS;
  let part = group.x + group.y * groups.x;
  if (part >= dims.B * dims.NKV * tiles * parts) { return; }
  let firstI = part % parts * TILE * DIMS + local.x;
  let firstJ = part / parts % tiles * ROWS;
  let kv = part / parts / tiles % dims.NKV;
  let b = part / parts / tiles / dims.NKV;
  let j = firstJ + local.y;
  let seenFrom = select(dims.T, max(j + dims.T, dims.S) - dims.S, j < dims.S);  // the first query that sees this key,
  let start = max(firstJ + dims.T, dims.S) - dims.S;                            // and any of the workgroup
  let row = local.y * TILE;
  let heads = dims.NH / dims.NKV;

  var sumsK: array<f32, DIMS>;
  var sumsV: array<f32, DIMS>;
  for (var h = kv * heads; h < (kv + 1) * heads; h++) {
    for (var first = start; first < dims.T; first += TILE) {
      // 2. One p and ds each.
      let t = first + local.x;
      if (t >= seenFrom && t < dims.T) {
        let both = pair(queryAt(b, t, h), keyAt(b, j, kv), statisticAt(b, t, h));
        p[row + local.x] = both.x;
        ds[row + local.x] = both.y;
      }
      workgroupBarrier();  // the tiles are full

      // 3. Add the queries that see this key.
      for (var c = max(seenFrom, first) - first; c < TILE && first + c < dims.T; c++) {
        for (var d = 0u; d < DIMS; d++) {
          let i = firstI + d * TILE;
          if (i < dims.HS) {
            sumsK[d] += ds[row + c] * q[queryAt(b, first + c, h) + i];
            sumsV[d] += p[row + c] * dy[queryAt(b, first + c, h) + i];
          }
        }
      }
      workgroupBarrier();  // the tiles may be filled anew
    }
  }

  // 4. A key that no query sees has dk = dv = 0.
  for (var d = 0u; d < DIMS; d++) {
    let i = firstI + d * TILE;
    if (j < dims.S && i < dims.HS) {
      dk[keyAt(b, j, kv) + i] = sumsK[d];
      dv[keyAt(b, j, kv) + i] = sumsV[d];
    }
  }
}
