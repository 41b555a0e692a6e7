// Formats that numbers pass through: rounding and truncation, against the bits of a float32.
import fc from "fast-check";
import { expect, test } from "vitest";
import { dtypes, formats, round, truncate, ulp } from "../reference/dtype.ts";

const bits = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0];
const fromBits = (word: number): number => new Float32Array(Uint32Array.of(word).buffer)[0];
const anyFloat32 = fc.nat(0xffffffff).map(fromBits).filter(Number.isFinite);

test("TF32 is a format, and nothing is stored in it", () => {
  expect(Object.keys(dtypes)).not.toContain("tf32");
  expect([formats.tf32.precision, formats.tf32.minNormal]).toEqual([
    dtypes.float16.precision,
    dtypes.float32.minNormal,
  ]);
});

test("TF32 and bfloat16 cut off a float32's last 13 and 16 bits", () => {
  fc.assert(
    fc.property(anyFloat32, (x) => {
      expect(truncate(x, formats.tf32)).toBe(fromBits((bits(x) & 0xffffe000) >>> 0));
      expect(truncate(x, formats.bfloat16)).toBe(fromBits((bits(x) & 0xffff0000) >>> 0));
    }),
    { numRuns: 2000 },
  );
});

test("TF32 rounds to the nearest of the two numbers around, to even from the middle", () => {
  fc.assert(
    fc.property(anyFloat32, (x) => {
      const rounded = round(x, formats.tf32);
      const below = bits(Math.abs(x)) & 0xffffe000;
      const rest = bits(Math.abs(x)) & 0x1fff;
      const isUp = rest > 0x1000 || (rest === 0x1000 && (below & 0x2000) !== 0);
      expect(Math.abs(rounded)).toBe(fromBits(below + (isUp ? 0x2000 : 0)));
      expect(Object.is(Math.sign(rounded), Math.sign(x)) || rounded === 0).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("cutting off stays within one unit, towards zero, and below the largest number", () => {
  fc.assert(
    fc.property(anyFloat32, fc.constantFrom("bfloat16", "float16", "tf32", "float32"), (x, name) => {
      const format = formats[name];
      const cut = truncate(x, format);
      expect(Math.abs(cut)).toBeLessThanOrEqual(Math.min(Math.abs(x), format.max));
      expect(round(cut, format)).toBe(cut);
      if (Math.abs(x) <= format.max) expect(Math.abs(x - cut)).toBeLessThan(ulp(x, format));
    }),
    { numRuns: 2000 },
  );
  for (const x of [NaN, Infinity, -Infinity, 0, -0]) expect(truncate(x, formats.tf32)).toBe(x);
});
