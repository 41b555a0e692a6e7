// Linear forward:  y[r, o] = sum over c of x[r, c] * w[o, c].
//
// A workgroup computes a tile of 4 SIDE x 4 SIDE outputs, an invocation 4 x 4 of them. The sum goes DEPTH columns at a time
// through two shared tiles. A vec4 holds four neighbouring rows at one column, so that it is written by one invocation
// alone, and one step of the sum is an outer product of two of them. Beyond the edges the tiles hold zeros.
override SIDE: u32 = 8;
override DEPTH: u32 = 16;
struct Dims { R: u32, O: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       w:    array<f32>;  // [O, C]
@group(0) @binding(3) var<storage, read_write> y:    array<f32>;  // [R, O]

var<workgroup> xTile: array<vec4<f32>, SIDE * DEPTH>;  // [SIDE, DEPTH] of four rows of x
var<workgroup> wTile: array<vec4<f32>, SIDE * DEPTH>;  // [SIDE, DEPTH] of four rows of w

fn xAt(r: u32, c: u32) -> f32 {
  if (r < dims.R && c < dims.C) { return x[r * dims.C + c]; }
  return 0.0;
}

fn wAt(o: u32, c: u32) -> f32 {
  if (o < dims.O && c < dims.C) { return w[o * dims.C + c]; }
  return 0.0;
}

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  // 1. Which tile, counted along o first. The second axis takes what exceeds 65,535 workgroups. A tile below the
  //    last has rows beyond the edge only, so nothing of it is stored.
  let tilesAcross = (dims.O + 4 * SIDE - 1) / (4 * SIDE);
  let tile = group.x + group.y * groups.x;
  let firstR = tile / tilesAcross * 4 * SIDE;
  let firstO = tile % tilesAcross * 4 * SIDE;

  var sum: array<vec4<f32>, 4>;  // sum[i][j] belongs to row 4 local.y + i and column 4 local.x + j of the tile
  for (var firstC = 0u; firstC < dims.C; firstC += DEPTH) {
    // 2. Fill the tiles: neighbouring invocations read neighbouring columns.
    for (var e = index; e < SIDE * DEPTH; e += SIDE * SIDE) {
      let c = firstC + e % DEPTH;
      let r = firstR + 4 * (e / DEPTH);
      let o = firstO + 4 * (e / DEPTH);
      xTile[e] = vec4(xAt(r, c), xAt(r + 1, c), xAt(r + 2, c), xAt(r + 3, c));
      wTile[e] = vec4(wAt(o, c), wAt(o + 1, c), wAt(o + 2, c), wAt(o + 3, c));
    }
    workgroupBarrier();  // the tiles are full

    // 3. Add DEPTH outer products.
    for (var k = 0u; k < DEPTH; k++) {
      let a = xTile[local.y * DEPTH + k];
      let b = wTile[local.x * DEPTH + k];
      sum[0] += a.x * b;
      sum[1] += a.y * b;
      sum[2] += a.z * b;
      sum[3] += a.w * b;
    }
    workgroupBarrier();  // the tiles may be filled anew
  }

  // 4. Store what lies inside y.
  for (var i = 0u; i < 4; i++) {
    for (var j = 0u; j < 4; j++) {
      let r = firstR + 4 * local.y + i;
      let o = firstO + 4 * local.x + j;
      if (r < dims.R && o < dims.O) { y[r * dims.O + o] = sum[i][j]; }
    }
  }
}
