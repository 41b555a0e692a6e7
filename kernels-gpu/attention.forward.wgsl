// Attention forward:  s[t, j] = q[t] . k[j] / sqrt(HS) for keys j <= t + S - T,
//                     lse[t] = log(sum over j of exp(s[t, j])),  y[t] = sum over j of exp(s[t, j] - lse[t]) * v[j].
//
// A workgroup takes ROWS queries of one head, an invocation one of them and each TILE-th of TILE * DIMS elements of y.
// Keys come in tiles of TILE, up to the last one that a query of the workgroup sees: only a tile of scores is ever held.
// m is the running maximum; what was added up before it rose is rescaled (Milakov and Gimelshein 2018; Dao et al. 2022).
override ROWS: u32 = 4;
override TILE: u32 = 16;
const DIMS = 4u;
const LOWEST = -0x1p+120f;  // below every score; times log2(e) it is still a number
struct Dims { B: u32, T: u32, NH: u32, HS: u32, S: u32, NKV: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       q:    array<f32>;  // [B, T, NH, HS]
@group(0) @binding(2) var<storage, read>       k:    array<f32>;  // [B, S, NKV, HS]
@group(0) @binding(3) var<storage, read>       v:    array<f32>;  // [B, S, NKV, HS]
@group(0) @binding(4) var<storage, read_write> y:    array<f32>;  // [B, T, NH, HS]
@group(0) @binding(5) var<storage, read_write> lse:  array<f32>;  // [B, NH, T]

var<workgroup> scores: array<f32, ROWS * TILE>;   // [ROWS, TILE]
var<workgroup> weights: array<f32, ROWS * TILE>;  // [ROWS, TILE] of exp(s - m)

// How many keys query t sees: with T queries and S keys, the last query sees all.
fn visible(t: u32) -> u32 { return max(t + 1 + dims.S, dims.T) - dims.T; }

@compute @workgroup_size(TILE, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>) {
  // 1. Which part of y; the second axis takes what exceeds 65,535 workgroups.
  let parts = max(1, (dims.HS + TILE * DIMS - 1) / (TILE * DIMS));
  let tiles = (dims.T + ROWS - 1) / ROWS;
  let part = group.x + group.y * groups.x;
  if (part >= dims.B * dims.NH * tiles * parts) { return; }
  let firstI = part % parts * TILE * DIMS;
  let firstT = part / parts % tiles * ROWS;
  let h = part / parts / tiles % dims.NH;
  let b = part / parts / tiles / dims.NH;
  let t = firstT + local.y;
  let query = ((b * dims.T + t) * dims.NH + h) * dims.HS;
  let firstKey = (b * dims.S * dims.NKV + h * dims.NKV / dims.NH) * dims.HS;
  let stride = dims.NKV * dims.HS;
  let keys = select(0, visible(t), t < dims.T);            // that this query sees,
  let last = visible(min(firstT + ROWS, dims.T) - 1);        // and any of the workgroup
  let row = local.y * TILE;

  var m = LOWEST;
  var l = 0.0;
  var sums: array<f32, DIMS>;
  for (var first = 0u; first < last; first += TILE) {
    // 2. One score each; masked keys are not read.
    let j = first + local.x;
    var s = LOWEST;
    if (j < keys) {
      s = 0.0;
      for (var i = 0u; i < dims.HS; i++) { s += q[query + i] * k[firstKey + j * stride + i]; }
      s *= inverseSqrt(f32(dims.HS));
    }
    scores[row + local.x] = s;
    workgroupBarrier();  // all scores are there

    // 3. The new maximum, and weights relative to it.
    let before = m;
    for (var c = 0u; c < TILE; c++) { m = max(m, scores[row + c]); }
    let rescale = exp(before - m);
    weights[row + local.x] = exp(s - m);
    workgroupBarrier();  // all weights are there, and all scores have been read

    // 4. Add the keys that this query sees; the others may hold anything, NaN included.
    let count = min(max(keys, first) - first, TILE);
    l *= rescale;
    for (var c = 0u; c < count; c++) { l += weights[row + c]; }
    for (var d = 0u; d < DIMS; d++) {
      let i = firstI + d * TILE + local.x;
      if (i < dims.HS) {
        sums[d] *= rescale;
        for (var c = 0u; c < count; c++) { sums[d] += weights[row + c] * v[firstKey + (first + c) * stride + i]; }
      }
    }
  }

  // 5. Normalise. A query that sees no key has y = 0 and lse = -infinity, which no constant expression may be.
  if (t >= dims.T) { return; }
  for (var d = 0u; d < DIMS; d++) {
    let i = firstI + d * TILE + local.x;
    if (i < dims.HS) { y[query + i] = select(0.0, sums[d] / l, keys > 0); }
  }
  var minusInfinity = 0xff800000u;
  if (firstI + local.x == 0) {
    lse[(b * dims.NH + h) * dims.T + t] = select(bitcast<f32>(minusInfinity), m + log(l), keys > 0);
  }
}
