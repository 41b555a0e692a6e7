import { describe, expect, test } from "vitest";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../reference/halves.ts";

interface Format {
  readonly name: string;
  /** Stored bits of the significand, and the exponent's bias. */
  readonly t: number;
  readonly bias: number;
  readonly encode: (x: number) => number;
  readonly decode: (bits: number) => number;
}

const formats: Format[] = [
  { name: "float16", t: 10, bias: 15, encode: encodeFloat16, decode: decodeFloat16 },
  { name: "bfloat16", t: 7, bias: 127, encode: encodeBfloat16, decode: decodeBfloat16 },
];

/** So many of what is wrong are printed. */
const SHOWN = 5;

/** The value of a positive finite pattern in units of the format's smallest subnormal, 2^(1 − bias − t). */
function asMultiple(bits: number, t: number): bigint {
  const e = bits >> t;
  const m = bits & (2 ** t - 1);
  return e === 0 ? BigInt(m) : BigInt(m + 2 ** t) << BigInt(e - 1);
}

/** The neighbours of a positive double. */
function neighbours(x: number): [below: number, above: number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  return [-1n, 1n].map((step) => {
    view.setBigUint64(0, bits + step);
    return view.getFloat64(0);
  }) as [number, number];
}

describe.each(formats)("$name", ({ t, bias, encode, decode }) => {
  const infinity = 0x7fff & ~(2 ** t - 1);
  const smallest = 2 ** (1 - bias - t);

  function isExact(bits: number, value: number): boolean {
    const magnitude = bits & 0x7fff;
    if (magnitude > infinity) return Number.isNaN(value) && (encode(value) & 0x7fff) > infinity;
    // Number(BigInt) · 2^k is exact: at most 11 significant bits, and a double has the exponents of both formats.
    const size = magnitude === infinity ? Infinity : Number(asMultiple(magnitude, t)) * smallest;
    return Object.is(value, bits & 0x8000 ? -size : size) && encode(value) === bits;
  }

  test("all 65,536 patterns decode to their exact value and encode back to themselves", () => {
    const wrong: [bits: number, value: number][] = [];
    for (let bits = 0; bits < 2 ** 16; bits++) {
      const value = decode(bits);
      if (!isExact(bits, value)) wrong.push([bits, value]);
    }
    expect([wrong.length, ...wrong.slice(0, SHOWN)]).toEqual([0]);
  });

  test("every tie goes to the even pattern, and a double next to it to the nearer one", () => {
    const wrong: { tie: number; got: number[]; want: number[] }[] = [];
    for (let low = 0; low < infinity; low++) {
      const high = low + 1;
      // The last tie lies between the largest number and the one that would come next if the exponent went on.
      const tie = (Number(asMultiple(low, t) + asMultiple(high, t)) * smallest) / 2;
      const [below, above] = neighbours(tie);
      const even = low % 2 === 0 ? low : high;
      const got = [below, tie, above, -below, -tie, -above].map(encode);
      const want = [low, even, high, low | 0x8000, even | 0x8000, high | 0x8000];
      if (String(got) !== String(want)) wrong.push({ tie, got, want });
    }
    expect([wrong.length, ...wrong.slice(0, SHOWN)]).toEqual([0]);
  });

  test("rounds once: a double next to a tie is not first rounded onto it as a float32", () => {
    const tie = 1 + 2 ** -(t + 1);
    expect(Math.fround(tie + 2 ** -40)).toBe(tie);
    expect(decode(encode(tie + 2 ** -40))).toBe(1 + 2 ** -t);
    expect(decode(encode(tie))).toBe(1);
  });

  test("extremes: the largest and smallest doubles, infinities, signed zeros, NaN", () => {
    expect(encode(Number.MAX_VALUE)).toBe(infinity);
    expect(encode(-Number.MAX_VALUE)).toBe(infinity | 0x8000);
    expect(encode(Number.MIN_VALUE)).toBe(0);
    expect(encode(-Number.MIN_VALUE)).toBe(0x8000);
    expect(encode(-0)).toBe(0x8000);
    expect(encode(Infinity)).toBe(infinity);
    expect(encode(NaN) & 0x7fff).toBeGreaterThan(infinity);
  });
});
