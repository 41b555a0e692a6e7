// Embedding backward:  dw[v,c] = sum over r with tokens[r] = v of dy[r,c].
// The rows that hold one token form a chain: first[v], next[first[v]], and so on, in ascending order; R ends it.
//   Entry chain, one invocation per row of the table and of dy, looks for the next link.
//   Entry main, one invocation per element of dw, walks the chain, so the result is the same in every run.
override WG: u32 = 64;
struct Dims { R: u32, C: u32, V: u32 }
@group(0) @binding(0) var<uniform>             dims:   Dims;
@group(0) @binding(1) var<storage, read>       dy:     array<f32>;  // [R, C]
@group(0) @binding(2) var<storage, read>       tokens: array<i32>;  // [R], each below V
@group(0) @binding(3) var<storage, read_write> first:  array<u32>;  // [V]
@group(0) @binding(4) var<storage, read_write> next:   array<u32>;  // [R]
@group(0) @binding(5) var<storage, read_write> dw:     array<f32>;  // [V, C]

// The first row from `start` on that holds v.
fn search(start: u32, v: i32) -> u32 {
  var r = start;
  while (r < dims.R && tokens[r] != v) { r++; }
  return r;
}

@compute @workgroup_size(WG)
fn chain(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;  // the second axis takes what exceeds 65,535 workgroups
  if (i < dims.V) { first[i] = search(0, i32(i)); }
  if (i < dims.R) { next[i] = search(i + 1, tokens[i]); }
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WG;
  if (i >= dims.V * dims.C) { return; }  // the last workgroup may overhang
  let v = i / dims.C;
  let c = i % dims.C;
  var sum = 0.0;  // what a token that never occurs gets
  for (var r = first[v]; r < dims.R; r = next[r]) { sum += dy[r * dims.C + c]; }
  dw[i] = sum;
}
