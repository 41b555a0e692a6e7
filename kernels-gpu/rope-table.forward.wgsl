// RoPE's table:  cos and sin of (start + t) * theta^(-2i / HS).  One invocation per angle.
//
// WGSL promises sin and cos only between -pi and pi, and there only to 2^-11, so neither is used. It lets expressions of
// floats be reassociated, which undoes the usual reduction x - k * c1 - k * c2 (Cody and Waite 1980), so that one is done
// in integers, which wrap as they must: an angle in turns, as 32 bits of fraction, keeps just what sine and cosine need.
override WG: u32 = 64;
struct Dims { theta: f32, HS: u32, start: i32, T: u32 }
@group(0) @binding(0) var<uniform>             dims: Dims;
@group(0) @binding(1) var<storage, read_write> cos:  array<f32>;  // [T, HS/2]
@group(0) @binding(2) var<storage, read_write> sin:  array<f32>;  // [T, HS/2]

const TAU = 6.283185307179586;

// The high word of a * b, for a < 2^31 and b < 2^24, so that no sum of parts exceeds 32 bits.
fn high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffff; let a1 = a >> 16;
  let b0 = b & 0xffff; let b1 = b >> 16;
  return a1 * b1 + ((a1 * b0 + a0 * b1 + ((a0 * b0) >> 16)) >> 16);
}

// The fraction of position * turns, in units of 2^-32. With turns = m * 2^-(32 + k) and 2^23 <= m < 2^24 it is the low word of
// (position * m) >> k. turns lies between 2^-40, below which no position comes to an eighth of a turn, and 2^23, from which on
// angles in float32 are whole turns.
fn fraction(position: u32, turns: f32) -> u32 {
  let bits = bitcast<u32>(turns);
  let m = (bits & 0x7fffff) | 0x800000;
  let k = 118 - i32(bits >> 23);
  let lo = position * m;
  if (k <= 0) { return lo << u32(-k); }
  return (high(position, m) << u32(32 - k)) | (lo >> u32(k));
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let n = id.x + id.y * groups.x * WG;   // the second axis takes what exceeds 65,535 workgroups
  let half = dims.HS / 2;
  if (n >= dims.T * half) { return; }    // the last workgroup may overhang
  let i = n % half;
  let position = dims.start + i32(n / half);

  // 1. The frequency, 2^e with e = -2i/HS * log2(theta). exp2 errs more the larger its argument, so it gets the fraction only.
  let e = -f32(2 * i) / f32(dims.HS) * log2(dims.theta);
  let frequency = ldexp(exp2(e - round(e)), i32(round(e)));

  // 2. The angle's size = quarter turns * pi/2 + a, |a| <= pi/4. Below an eighth of a turn it is the product as it stands,
  //    whose last bits 32 bits of fraction would cut off.
  let size = f32(abs(position)) * frequency;
  let turned = fraction(u32(abs(position)), frequency / TAU);
  let reduced = size >= TAU / 8.0;
  let quarter = select(0, ((turned >> 29) + 1) >> 1, reduced);  // rounded
  let a = select(size, f32(i32(turned - (quarter << 30))) * (TAU / 4294967296.0), reduced);

  // 3. Taylor's series; what is left out is below 2^-25.
  let z = a * a;
  let s = a * (1.0 + z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z / 362880.0))));
  let c = 1.0 + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z / 40320.0)));

  // 4. Back by the quarter turns: 1 exchanges sine and cosine, 2 turns both around; a negative position, the sine.
  let odd = (quarter & 1) == 1;
  let around = (quarter & 2) == 2;
  let cosine = select(c, s, odd);
  let sine = select(s, c, odd);
  cos[n] = select(cosine, -cosine, odd != around);
  sin[n] = select(sine, -sine, around) * f32(sign(position));
}
