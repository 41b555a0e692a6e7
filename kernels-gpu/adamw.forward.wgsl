// AdamW:  mNext = beta1 * m + oneMinusBeta1 * g,  vNext = beta2 * v + oneMinusBeta2 * g^2,
//         wNext = w - learningRate * (mNext / correction1 / (sqrt(vNext / correction2) + eps) + weightDecay * w).
// One invocation per element.
override WG: u32 = 64;
struct Dims {
  N: u32, learningRate: f32, beta1: f32, beta2: f32, oneMinusBeta1: f32, oneMinusBeta2: f32,
  correction1: f32, correction2: f32, eps: f32, weightDecay: f32,
}
@group(0) @binding(0) var<uniform>             dims:  Dims;
@group(0) @binding(1) var<storage, read>       w:     array<f32>;  // [N]
@group(0) @binding(2) var<storage, read>       g:     array<f32>;  // [N]
@group(0) @binding(3) var<storage, read>       m:     array<f32>;  // [N]
@group(0) @binding(4) var<storage, read>       v:     array<f32>;  // [N]
@group(0) @binding(5) var<storage, read_write> wNext: array<f32>;  // [N]
@group(0) @binding(6) var<storage, read_write> mNext: array<f32>;  // [N]
@group(0) @binding(7) var<storage, read_write> vNext: array<f32>;  // [N]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let n = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  if (n >= dims.N) { return; }           // the last workgroup may overhang

  // 1. The moments.
  let first = dims.beta1 * m[n] + dims.oneMinusBeta1 * g[n];
  let second = dims.beta2 * v[n] + dims.oneMinusBeta2 * g[n] * g[n];

  // 2. The direction. WGSL promises nothing about sqrt below 2^-126; its root, 2^-63, is negligible against eps.
  let square = second / dims.correction2;
  let root = sqrt(select(square, 0x1p-126, square < 0x1p-126));  // a NaN stays one
  let direction = first / dims.correction1 / (root + dims.eps);

  // 3. The step, and the decay with it.
  wNext[n] = w[n] - dims.learningRate * (direction + dims.weightDecay * w[n]);
  mNext[n] = first;
  vNext[n] = second;
}
