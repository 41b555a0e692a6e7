// Linear backward:  dx[r, c] = sum over o of dy[r, o] * w[o, c],   dw[o, c] = sum over r of dy[r, o] * x[r, c].
//
// One entry point for each gradient. A workgroup computes a tile of 4 SIDE x 4 SIDE outputs, an invocation 4 x 4 of them. The
// sum goes DEPTH terms at a time through two shared tiles. A vec4 holds four neighbouring outputs' factors for one term, so
// that it is written by one invocation alone, and one step of the sum is an outer product of two of them. Beyond the
// edges the tiles hold zeros.
override SIDE: u32 = 8;
override DEPTH: u32 = 16;
struct Dims { R: u32, O: u32, C: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read>       dy:   array<f32>;  // [R, O]
@group(0) @binding(2) var<storage, read>       x:    array<f32>;  // [R, C]
@group(0) @binding(3) var<storage, read>       w:    array<f32>;  // [O, C]
@group(0) @binding(4) var<storage, read_write> dx:   array<f32>;  // [R, C]
@group(0) @binding(5) var<storage, read_write> dw:   array<f32>;  // [O, C]

var<workgroup> left:  array<vec4<f32>, SIDE * DEPTH>;  // four rows of the output, SIDE times, for DEPTH terms
var<workgroup> right: array<vec4<f32>, SIDE * DEPTH>;  // four columns of the output, SIDE times, for DEPTH terms
var<private>   sum:   array<vec4<f32>, 4>;             // sum[i][j]: row 4 local.y + i, column 4 local.x + j of the tile

fn dyAt(r: u32, o: u32) -> f32 {
  if (r < dims.R && o < dims.O) { return dy[r * dims.O + o]; }
  return 0.0;
}

fn xAt(r: u32, c: u32) -> f32 {
  if (r < dims.R && c < dims.C) { return x[r * dims.C + c]; }
  return 0.0;
}

fn wAt(o: u32, c: u32) -> f32 {
  if (o < dims.O && c < dims.C) { return w[o * dims.C + c]; }
  return 0.0;
}

fn addOuterProducts(local: vec3<u32>) {
  for (var k = 0u; k < DEPTH; k++) {
    let a = left[local.y * DEPTH + k];
    let b = right[k * SIDE + local.x];
    sum[0] += a.x * b;
    sum[1] += a.y * b;
    sum[2] += a.z * b;
    sum[3] += a.w * b;
  }
}

@compute @workgroup_size(SIDE, SIDE)
fn gradientOfX(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  // 1. Which tile, counted along c first. The second axis takes what exceeds 65,535 workgroups. A tile below the
  //    last has rows beyond the edge only, so nothing of it is stored.
  let tilesAcross = (dims.C + 4 * SIDE - 1) / (4 * SIDE);
  let tile = group.x + group.y * groups.x;
  let firstR = tile / tilesAcross * 4 * SIDE;
  let firstC = tile % tilesAcross * 4 * SIDE;

  for (var firstO = 0u; firstO < dims.O; firstO += DEPTH) {
    // 2. Fill the tiles: neighbouring invocations read neighbouring columns of dy, and of w.
    for (var e = index; e < SIDE * DEPTH; e += SIDE * SIDE) {
      let r = firstR + 4 * (e / DEPTH);
      let o = firstO + e % DEPTH;
      left[e] = vec4(dyAt(r, o), dyAt(r + 1, o), dyAt(r + 2, o), dyAt(r + 3, o));
      let c = firstC + 4 * (e % SIDE);
      let term = firstO + e / SIDE;
      right[e] = vec4(wAt(term, c), wAt(term, c + 1), wAt(term, c + 2), wAt(term, c + 3));
    }
    workgroupBarrier();  // the tiles are full

    // 3. Add DEPTH outer products.
    addOuterProducts(local);
    workgroupBarrier();  // the tiles may be filled anew
  }

  // 4. Store what lies inside dx.
  for (var i = 0u; i < 4; i++) {
    for (var j = 0u; j < 4; j++) {
      let r = firstR + 4 * local.y + i;
      let c = firstC + 4 * local.x + j;
      if (r < dims.R && c < dims.C) { dx[r * dims.C + c] = sum[i][j]; }
    }
  }
}

@compute @workgroup_size(SIDE, SIDE)
fn gradientOfW(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  // 1. Which tile, counted along c first.
  let tilesAcross = (dims.C + 4 * SIDE - 1) / (4 * SIDE);
  let tile = group.x + group.y * groups.x;
  let firstO = tile / tilesAcross * 4 * SIDE;
  let firstC = tile % tilesAcross * 4 * SIDE;

  for (var firstR = 0u; firstR < dims.R; firstR += DEPTH) {
    // 2. Fill the tiles: both factors lie row by row, with the outputs' index along the row.
    for (var e = index; e < SIDE * DEPTH; e += SIDE * SIDE) {
      let r = firstR + e / SIDE;
      let o = firstO + 4 * (e % SIDE);
      let c = firstC + 4 * (e % SIDE);
      left[(e % SIDE) * DEPTH + e / SIDE] = vec4(dyAt(r, o), dyAt(r, o + 1), dyAt(r, o + 2), dyAt(r, o + 3));
      right[e] = vec4(xAt(r, c), xAt(r, c + 1), xAt(r, c + 2), xAt(r, c + 3));
    }
    workgroupBarrier();  // the tiles are full

    // 3. Add DEPTH outer products.
    addOuterProducts(local);
    workgroupBarrier();  // the tiles may be filled anew
  }

  // 4. Store what lies inside dw.
  for (var i = 0u; i < 4; i++) {
    for (var j = 0u; j < 4; j++) {
      let o = firstO + 4 * local.y + i;
      let c = firstC + 4 * local.x + j;
      if (o < dims.O && c < dims.C) { dw[o * dims.C + c] = sum[i][j]; }
    }
  }
}
