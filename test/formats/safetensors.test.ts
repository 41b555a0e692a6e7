import fs from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesOf } from "../../formats/bytes.ts";
import { FormatError } from "../../formats/error.ts";
import {
  type DType,
  encodeSafetensors,
  openSafetensors,
  parseSafetensors,
  readSafetensors,
  type SafetensorsContent,
  type TensorToWrite,
  writeSafetensors,
} from "../../formats/safetensors.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../../reference/tensor.ts";
import { sharedData } from "../needs.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "touchstone-safetensors-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

function encode(tensors: Map<string, TensorToWrite>, metadata: Record<string, string> = {}): Uint8Array {
  const pieces: Uint8Array[] = [];
  encodeSafetensors(tensors, metadata, (bytes) => pieces.push(bytes.slice()));
  return new Uint8Array(Buffer.concat(pieces));
}

/** A file made by hand: its header as text or bytes, and its data. */
function file(header: string | Uint8Array, dataLength = 0, headerLength?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    const { message } = error as Error;
    expect(message).not.toMatch(/[\n\r]/);
    return message;
  }
  throw new Error("nothing was refused");
}

const ints = (...values: number[]): Tensor<Ints> => ({ data: Int32Array.from(values), shape: [values.length] });
const bits = (t: Tensor<Floats | Ints>): string => Buffer.from(bytesOf(t.data)).toString("hex");

// Round trips ---------------------------------------------------------------------------------------------------------

const storages = { F64: Float64Array, F32: Float32Array, I32: Int32Array };

/** Any bit pattern: NaNs with payloads, infinities, both zeros, subnormals. */
const anyTensor = fc
  .tuple(
    fc.constantFrom(...(Object.keys(storages) as (keyof typeof storages)[])),
    fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
  )
  .chain(([dtype, shape]) => {
    const Storage = storages[dtype];
    const length = sizeOf(shape) * Storage.BYTES_PER_ELEMENT;
    const special = fc.constantFrom("00", "80", "7f", "ff", "f0", "7ff80000", "0000807f");
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: length, maxLength: length }),
      fc.array(special, { minLength: length, maxLength: length }).map((hex) => {
        return new Uint8Array(Buffer.from(hex.join(""), "hex").subarray(0, length));
      }),
    );
    return bytes.map((b): Tensor<Floats | Ints> => ({ data: new Storage(b.slice().buffer), shape }));
  });

const anyName = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("__proto__", "constructor", "toString", "", "\0", '"', "\\", "\n", "\u2028", "😀", "data_offsets"),
);
const anyMetadata = fc.array(fc.tuple(anyName, anyName)).map((pairs) => {
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, value] of pairs) metadata[key] = value;
  return metadata;
});

function expectSame(got: SafetensorsContent, tensors: Map<string, Tensor<Floats | Ints>>): void {
  expect([...got.tensors.keys()]).toEqual([...tensors.keys()]);
  for (const [name, want] of tensors) {
    const t = got.tensors.get(name);
    expect(t?.shape).toEqual(want.shape);
    expect(t?.data.constructor).toBe(want.data.constructor);
    expect(t && bits(t)).toBe(bits(want));
  }
}

describe("round trips", () => {
  test("names, order, shapes, metadata and every bit survive, in memory and on disk", () => {
    const path = at("round-trip");
    const property = fc.property(
      fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 6 }),
      anyMetadata,
      (pairs, metadata) => {
        const tensors = new Map(pairs);
        const bytes = encode(tensors, metadata);
        const got = parseSafetensors(bytes);
        expectSame(got, tensors);
        expect(Object.entries(got.metadata).toSorted()).toEqual(Object.entries(metadata).toSorted());
        writeSafetensors(path, tensors, metadata);
        expect(Buffer.compare(fs.readFileSync(path), bytes)).toBe(0);
        expectSame(readSafetensors(path), tensors);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  test("special values: −0, infinities, NaN; scalars and empty tensors", () => {
    const values = [-0, 0, Infinity, -Infinity, NaN, Number.MIN_VALUE];
    const tensors = new Map<string, Tensor<Floats | Ints>>([
      ["f64", { data: Float64Array.from(values), shape: [6] }],
      ["f32", { data: Float32Array.from(values), shape: [2, 3] }],
      ["scalar", { data: Int32Array.of(-7), shape: [] }],
      ["empty", { data: new Float32Array(0), shape: [3, 0, 2] }],
      ["also empty", { data: new Float64Array(0), shape: [0] }],
    ]);
    expectSame(parseSafetensors(encode(tensors)), tensors);
    expectSame(parseSafetensors(encode(new Map())), new Map());
  });

  test("a view into a larger buffer is written alone, and what is read shares no memory with the bytes", () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const bytes = encode(new Map([["a", { data, shape: [2] }]]));
    const got = parseSafetensors(bytes).tensors.get("a");
    bytes.fill(0);
    expect(got?.data).toEqual(Float32Array.of(2, 3));
  });

  test("each dtype: the numbers it holds exactly come back, in float32, float64 or int32", () => {
    const long = 70_000; // more than one piece of conversion
    const exact: [DType, Floats | Ints, number[]][] = [
      ["F64", new Float64Array(0), [1 / 3, -0, 2 ** 1000]],
      ["F32", new Float32Array(0), [Math.fround(1 / 3), -0, 2 ** 100]],
      ["F16", new Float32Array(0), [1.5, -0, 65504, 2 ** -24, Infinity]],
      ["BF16", new Float32Array(0), [1.5, -0, 2 ** 127, 2 ** -133, -Infinity]],
      ["I64", new Int32Array(0), [-(2 ** 31), 2 ** 31 - 1, 0]],
      ["I32", new Int32Array(0), [-(2 ** 31), 2 ** 31 - 1, 0]],
      ["I16", new Int32Array(0), [-(2 ** 15), 2 ** 15 - 1, 0]],
      ["I8", new Int32Array(0), [-128, 127, 0]],
      ["U64", new Int32Array(0), [2 ** 31 - 1, 0]],
      ["U32", new Int32Array(0), [2 ** 31 - 1, 0]],
      ["U16", new Int32Array(0), [65535, 0]],
      ["U8", new Int32Array(0), [255, 0]],
      ["BOOL", new Int32Array(0), [1, 0]],
    ];
    for (const [dtype, like, values] of exact) {
      const Storage = like.constructor as new (values: ArrayLike<number>) => Floats | Ints;
      const data = new Storage(Array.from({ length: long }, (_, i) => values[i % values.length]));
      const t = { data, shape: [long] };
      expectSame(parseSafetensors(encode(new Map([["a", { tensor: t, dtype }]]))), new Map([["a", t]]));
    }
  });

  test("F32, F16 and BF16 of float64 numbers are rounded once, to nearest", () => {
    const x = 1 + 2 ** -8 + 2 ** -40; // just above a tie of bfloat16, which float32 would round to the tie
    const tensor = { data: Float64Array.of(x, 0.1, NaN, 1e300), shape: [4] };
    const as = (dtype: DType): unknown =>
      parseSafetensors(encode(new Map([["a", { tensor, dtype }]]))).tensors.get("a");
    expect(as("F32")).toEqual({ data: Float32Array.from(tensor.data), shape: [4] });
    expect(as("BF16")).toEqual({ data: Float32Array.of(1 + 2 ** -7, 0.10009765625, NaN, Infinity), shape: [4] });
    expect(as("F16")).toEqual({ data: Float32Array.of(1 + 2 ** -8, 0.0999755859375, NaN, Infinity), shape: [4] });
  });
});

describe("writing", () => {
  const a = { data: Float32Array.of(1, 2), shape: [2] };

  test("the bytes: names in order, metadata sorted, header padded to 8 bytes, data aligned by descending size", () => {
    const ids = { tensor: { data: Int32Array.of(3), shape: [] }, dtype: "U8" as const };
    const bytes = encode(
      new Map<string, TensorToWrite>([
        ["ids", ids],
        ["a", a],
        ["d", { data: Float64Array.of(1), shape: [1, 1] }],
      ]),
      { b: "2", a: "1" },
    );
    const header =
      '{"__metadata__":{"a":"1","b":"2"},"ids":{"dtype":"U8","shape":[],"data_offsets":[16,17]},' +
      '"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"d":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}';
    const length = Math.ceil(header.length / 8) * 8;
    expect(Buffer.from(bytes.subarray(0, 8)).readBigUInt64LE()).toBe(BigInt(length));
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + length))).toBe(header.padEnd(length));
    expect(Buffer.from(bytes.subarray(8 + length)).toString("hex")).toBe("000000000000f03f0000803f0000004003");
  });

  test("what cannot be stored is refused by name, and an earlier file stays", () => {
    const path = at("stays");
    writeSafetensors(path, new Map([["a", a]]));
    const before = fs.readFileSync(path);
    const bad: [string, TensorToWrite, RegExp][] = [
      ["x", { data: new Float32Array(3), shape: [2] }, /"x" has shape \[2\] but holds 3/],
      ["x", { data: new Float32Array(2), shape: [-1, -2] }, /"x" has shape \[-1,-2\]/],
      ["x", { data: new Float32Array(1), shape: [0.5, 2] }, /"x" has shape/],
      ["x", { data: new Float32Array(0), shape: [NaN] }, /"x" has shape/],
      ["x", { tensor: a, dtype: "I32" }, /"x" is F32, expected what I32/],
      ["x", { tensor: ints(1), dtype: "F32" }, /"x" is I32, expected what F32/],
      ["x", { tensor: ints(0, 256), dtype: "U8" }, /"x" holds 256 at element 1, expected 0 to 255/],
      ["x", { tensor: ints(-1), dtype: "U64" }, /"x" holds -1 at element 0/],
      ["x", { tensor: ints(2), dtype: "BOOL" }, /"x" holds 2 at element 0/],
      ["__metadata__", a, /__metadata__/],
      ["\ud800", a, /surrogate/],
    ];
    for (const [name, what, message] of bad) {
      const tensors = new Map([
        ["a", a],
        [name, what],
      ]);
      expect(() => writeSafetensors(path, tensors)).toThrow(message);
    }
    expect(() => writeSafetensors(path, new Map([["a", a]]), { k: 1 as unknown as string })).toThrow(/"k" is a number/);
    expect(Buffer.compare(fs.readFileSync(path), before)).toBe(0);
    expect(fs.readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

// What a reader must refuse -------------------------------------------------------------------------------------------

const entry = (fields: string): string => `{"a":{${fields}}}`;
const two = '"dtype":"F32","shape":[2],"data_offsets":[0,8]';
const good = (name: string, begin: number, end: number): string =>
  `"${name}":{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;

describe("refusals", () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(), /is 0 bytes long, expected at least 8/],
    ["a file of 7 bytes", new Uint8Array(7), /is 7 bytes long/],
    ["a header of length 0", new Uint8Array(16), /header length is 0, at byte 0, expected 2 to 8/],
    ["a header of one byte", file("{", 0), /header length is 1/],
    ["a header longer than the file", file("{}", 0, 3n), /header length is 3, at byte 0, expected 2 to 2/],
    ["a header of 2⁶⁴ − 1 bytes", file("{}", 0, 2n ** 64n - 1n), /header length is 18446744073709551615/],
    ["a header that is not UTF-8", file(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    ["a byte order mark", file("\ufeff{}"), /expected "\{"/],
    ["a space before the header", file(" {}"), /header begins with " "/],
    ["an array", file("[]"), /header begins with "\["/],
    ["NUL bytes", file("\0\0"), /expected "\{"/],
    ["half a header", file('{"a"'), /expected : after the name "a"/],
    ["a string that does not end", file('{"a'), /no closing quotation mark for character 1/],
    ["a string that ends in a backslash", file('{"a\\'), /no closing quotation mark/],
    ["a wrong escape", file('{"\\x":1}'), /ill-formed string at character 1/],
    ["a raw control character", file('{"\n":1}'), /ill-formed string/],
    ["half a surrogate pair", file('{"\\ud800":1}'), /surrogate/],
    ["a trailing comma", file(`{${good("a", 0, 1)},}`, 1), /expected a name in the header/],
    ["text after the header", file("{} x"), /has "x" at character 3, expected nothing but spaces/],
    ["NUL padding", file("{}\0\0"), /expected nothing but spaces/],
    ["a comment", file("{/**/}"), /expected a name/],
    ["an unquoted name", file("{a:1}"), /expected a name/],
    ["two tensors of one name", file(`{${good("a", 0, 1)},${good("a", 0, 1)}}`, 1), /names "a" twice in the header/],
    ["one name, escaped", file(`{${good("a", 0, 1)},${good("\\u0061", 1, 2)}}`, 2), /names "a" twice/],
    ["__proto__ twice", file(`{${good("__proto__", 0, 1)},${good("__proto__", 0, 1)}}`, 1), /"__proto__" twice/],
    ["metadata twice", file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" twice/],
    ["a metadata key twice", file('{"__metadata__":{"k":"1","k":"2"}}'), /"k" twice in __metadata__/],
    ["a field twice", file(entry(`"dtype":"F64",${two}`), 8), /"dtype" twice in tensor "a"/],
    ["metadata that is a number", file('{"__metadata__":{"k":1}}'), /expected text as the value of metadata "k"/],
    ["metadata that is null", file('{"__metadata__":null}'), /expected \{, __metadata__/],
    ["metadata that nests", file('{"__metadata__":{"k":{"l":"m"}}}'), /metadata "k"/],
    ["a tensor that is a string", file('{"a":"b"}'), /expected \{, tensor "a"/],
    ["a field too many", file(entry(`${two},"stride":[1]`), 8), /tensor "a" has a field "stride"/],
    ["no dtype", file(entry('"shape":[2],"data_offsets":[0,8]'), 8), /tensor "a" has no dtype, expected one of F64/],
    ["no shape", file(entry('"dtype":"F32","data_offsets":[0,8]'), 8), /tensor "a" has no shape/],
    ["no offsets", file(entry('"dtype":"F32","shape":[2]'), 8), /tensor "a" has 0 data_offsets, expected 2/],
    ["one offset", file(entry('"dtype":"F32","shape":[2],"data_offsets":[8]'), 8), /has 1 data_offsets/],
    [
      "three offsets",
      file(entry('"dtype":"F32","shape":[2],"data_offsets":[0,4,8]'), 8),
      /expected \], at most 2 integers in the data_offsets/,
    ],
    ["an unknown dtype", file(entry(two.replace("F32", "F8_E4M3")), 8), /dtype "F8_E4M3", expected one of F64, F32/],
    ["a dtype in lower case", file(entry(two.replace("F32", "f32")), 8), /dtype "f32"/],
    ["a dtype that every object has", file(entry(two.replace("F32", "constructor")), 8), /dtype "constructor"/],
    ["a dtype named __proto__", file(entry(two.replace("F32", "__proto__")), 8), /dtype "__proto__"/],
    ["a dtype that is a number", file(entry(two.replace('"F32"', "32")), 8), /expected the dtype of tensor "a"/],
    ["a negative length", file(entry(two.replace("[2]", "[-2]")), 8), /has "-2\].* expected an integer .* shape/],
    ["two negative lengths", file(entry(two.replace("[2]", "[-1,-2]")), 8), /expected an integer/],
    ["a fraction", file(entry(two.replace("[2]", "[2.0]")), 8), /expected an integer/],
    ["an exponent", file(entry(two.replace("[2]", "[2e0]")), 8), /expected an integer/],
    ["a leading zero", file(entry(two.replace("[2]", "[02]")), 8), /expected an integer/],
    ["a length in quotation marks", file(entry(two.replace("[2]", '["2"]')), 8), /expected an integer/],
    ["a length of null", file(entry(two.replace("[2]", "[null]")), 8), /expected an integer/],
    ["an empty place in a shape", file(entry(two.replace("[2]", "[2,]")), 8), /expected an integer/],
    ["a shape that is a number", file(entry(two.replace("[2]", "2")), 8), /expected \[, the shape of tensor "a"/],
    ["a shape in a shape", file(entry(two.replace("[2]", "[[2]]")), 8), /expected an integer/],
    [
      "65 axes",
      file(entry(two.replace("[2]", `[${"1,".repeat(64)}2]`)), 8),
      /at most 64 integers in the shape of tensor "a"/,
    ],
    ["2⁵³", file(entry(two.replace("[2]", "[9007199254740992]")), 8), /expected an integer from 0 to 2⁵³ − 1/],
    ["a number beyond a double", file(entry(two.replace("[2]", `[1${"0".repeat(400)}]`)), 8), /expected an integer/],
    ["a product beyond 2⁵³", file(entry(two.replace("[2]", "[4294967296,4294967296]")), 8), /more than 2⁵³ bytes/],
    ["a product that wraps to 2", file(entry(two.replace("[2]", "[2,4611686018427387905]")), 8), /expected an integer/],
    ["an overflow before a zero", file(entry(two.replace("[2]", "[4294967296,4294967296,0]")), 8), /more than 2⁵³/],
    [
      "fewer bytes than the shape",
      file(entry(two.replace("[2]", "[3]")), 8),
      /\[0,8\], expected 12 bytes, F32 of shape/,
    ],
    ["more bytes than the shape", file(entry(two.replace("[2]", "[1]")), 8), /\[0,8\], expected 4 bytes/],
    ["an end before its begin", file(entry(two.replace("[0,8]", "[8,0]")), 8), /\[8,0\], expected 8 bytes/],
    ["an end behind the file", file(entry(two), 7), /tensor "a" ends at data byte 8, expected at most 7/],
    ["a place behind the file", file(entry(two.replace("[0,8]", "[8,16]")), 8), /which leaves a hole after the header/],
    ["an overlap", file(`{${good("a", 0, 4)},${good("b", 3, 6)}}`, 6), /"b" begins at data byte 3, inside tensor "a"/],
    ["two tensors in one place", file(`{${good("a", 0, 4)},${good("b", 0, 4)}}`, 4), /"b" .* inside tensor "a"/],
    ["a hole", file(`{${good("a", 0, 4)},${good("b", 5, 6)}}`, 6), /"b" begins .* hole after tensor "a", expected 4/],
    ["an empty tensor inside another", file(`{${good("a", 0, 4)},${good("b", 2, 2)}}`, 4), /inside tensor "a"/],
    ["an empty tensor behind the end", file(`{${good("a", 0, 4)},${good("b", 9, 9)}}`, 4), /hole/],
    ["bytes behind the last tensor", file(`{${good("a", 0, 4)}}`, 6), /has 2 bytes of no tensor, from data byte 4/],
    ["bytes and no tensor", file("{}", 1), /has 1 byte of no tensor/],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(refusal(() => parseSafetensors(bytes, "FILE"))).toMatch(message);
    const path = at("refused");
    fs.writeFileSync(path, bytes);
    const said = refusal(() => readSafetensors(path));
    expect(said).toMatch(message);
    expect(said.startsWith(`${path}: `)).toBe(true);
  });

  test("a deep header costs no stack", () => {
    const deep = 1_000_000;
    expect(refusal(() => parseSafetensors(file(`{"a":${"[".repeat(deep)}`)))).toMatch(/expected \{, tensor "a"/);
    expect(refusal(() => parseSafetensors(file('{"a":'.repeat(deep))))).toMatch(
      /expected a string|expected \{|field "a"/,
    );
    expect(refusal(() => parseSafetensors(file(entry(two.replace("[2]", "[".repeat(deep))))))).toMatch(/an integer/);
  });

  test("a name of a million characters, and one with line ends, give one short line", () => {
    expect(refusal(() => parseSafetensors(file(`{"${"x".repeat(1e6)}":1}`))).length).toBeLessThan(300);
    expect(refusal(() => parseSafetensors(file('{"a\\nb\\u2028\\u202e":1}')))).toMatch(/"a\\nb\\u2028\\u202e"/);
  });

  test("integers outside int32, and a BOOL that is neither, are refused by tensor, element and value", () => {
    const bad: [string, number, string, string][] = [
      ["I64", 8, "0000008000000000", "2147483648"],
      ["I64", 8, "ffffff7fffffffff", "-2147483649"],
      ["I64", 8, "0100000000002000", "9007199254740993"],
      ["U64", 8, "ffffffffffffffff", "18446744073709551615"],
      ["U32", 4, "00000080", "2147483648"],
      ["BOOL", 1, "02", "2"],
    ];
    for (const [dtype, size, hex, value] of bad) {
      const header = `{"tokens":{"dtype":"${dtype}","shape":[2],"data_offsets":[0,${2 * size}]}}`;
      const bytes = file(header, 2 * size);
      bytes.set(Buffer.from(hex, "hex"), bytes.length - size);
      expect(refusal(() => parseSafetensors(bytes))).toContain(`tensor "tokens" holds ${value} at element 1, expected`);
    }
  });
});

/** Refused, or a file whose tensors all fit: no other error, no other outcome. */
function survives(bytes: Uint8Array): "refused" | "read" {
  try {
    for (const t of parseSafetensors(bytes).tensors.values()) expect(t.data.length).toBe(sizeOf(t.shape));
    return "read";
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return "refused";
  }
}

describe("damage", () => {
  const tensors = new Map<string, TensorToWrite>([
    ["w", { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }],
    ["ids", { tensor: { data: Int32Array.of(1, 0, 1), shape: [3] }, dtype: "I64" }],
    ["none", { data: new Float32Array(0), shape: [0, 5] }],
    ["half", { tensor: { data: Float32Array.of(1), shape: [] }, dtype: "BF16" }],
  ]);
  const whole = encode(tensors, { config: '{"dim":4}' });
  const headerEnd = 8 + Number(Buffer.from(whole).readBigUInt64LE());

  test("every byte of the header, replaced by several values", () => {
    const outcomes = { refused: 0, read: 0 };
    for (let i = 0; i < headerEnd; i++) {
      const values = [0, 0xff, 0x20, 0x22, 0x2c, 0x30, 0x39, 0x5b, 0x5c, 0x7b, 0x7d, 0x80];
      for (let bit = 0; bit < 8; bit++) values.push(whole[i] ^ (1 << bit));
      for (const value of values.filter((v) => v !== whole[i])) {
        const bytes = whole.slice();
        bytes[i] = value;
        outcomes[survives(bytes)]++;
      }
    }
    // What still reads has another letter in a name or in the metadata, or spaces elsewhere.
    expect(outcomes.refused).toBeGreaterThan(outcomes.read);
    expect(outcomes.read).toBeGreaterThan(0);
  });

  test("truncation at every length, and bytes too many", () => {
    expect(survives(whole)).toBe("read");
    const path = at("damaged");
    for (let length = 0; length < whole.length; length++) {
      expect(survives(whole.subarray(0, length))).toBe("refused");
      fs.writeFileSync(path, whole.subarray(0, length));
      refusal(() => readSafetensors(path));
    }
    expect(survives(Buffer.concat([whole, new Uint8Array(1)]))).toBe("refused");
  });

  test("any bytes, and any text between braces", () => {
    const token = fc.constantFrom(
      ...'{}[]:,"\\ 018-e.',
      '"a"',
      '"dtype"',
      '"F32"',
      '"shape"',
      '"data_offsets"',
      "null",
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(token), fc.nat(16), (bytes, tokens, dataLength) => {
        survives(bytes);
        survives(file(`{${tokens.join("")}}`, dataLength));
      }),
      { numRuns: 2000 },
    );
  });
});

// Files ---------------------------------------------------------------------------------------------------------------

const openFiles = (): number => fs.readdirSync("/proc/self/fd").length;

describe("opening", () => {
  test("a file of 100 GB opens by its header, and a small tensor in it is read alone", () => {
    const path = at("sparse");
    const large = 100e9;
    const header =
      `{"large":{"dtype":"F32","shape":[${large / 4}],"data_offsets":[0,${large}]},` +
      `"small":{"dtype":"F32","shape":[2],"data_offsets":[${large},${large + 8}]}}`;
    const handle = fs.openSync(path, "w");
    fs.writeSync(handle, file(header), 0, undefined, 0);
    fs.writeSync(handle, bytesOf(Float32Array.of(1, 2)), 0, 8, 8 + header.length + large);
    fs.closeSync(handle);
    const sparse = openSafetensors(path);
    expect(sparse.names).toEqual(["large", "small"]);
    expect(sparse.tensors.get("large")).toEqual({ dtype: "F32", shape: [large / 4], begin: 0, end: large });
    expect(sparse.read("small").data).toEqual(Float32Array.of(1, 2));
    expect(refusal(() => sparse.read("large"))).toMatch(/93\.1 GiB of memory for tensor "large", expected at most/);
    sparse.close();
    fs.rmSync(path);
  });

  test("a header length beyond the limit is refused before it is read, in a file that has room for it", () => {
    const path = at("long-header");
    fs.writeFileSync(path, file("", 0, 100_000_001n));
    fs.truncateSync(path, 1e9);
    expect(refusal(() => openSafetensors(path))).toContain(
      "header length is 100000001, at byte 0, expected 2 to 100000000",
    );
    fs.rmSync(path);
  });

  test("a missing file, a folder, a pipe, a name that is not there, a closed file", (context) => {
    expect(refusal(() => openSafetensors(at("missing")))).toBe(
      `${at("missing")}: cannot be read, no such file or directory (ENOENT), expected a readable safetensors file`,
    );
    expect(refusal(() => openSafetensors(folder))).toContain(`${folder}: is not a regular file`);
    const path = at("small");
    writeSafetensors(path, new Map([["a", { data: Float32Array.of(1), shape: [] }]]));
    const small = openSafetensors(path);
    expect(refusal(() => small.read("b"))).toBe(`${path}: has no tensor "b" among its 1, expected one`);
    expect(refusal(() => small.readInts("a"))).toContain('tensor "a" has dtype F32, expected integers');
    expect(small.readFloats("a")).toEqual({ data: Float32Array.of(1), shape: [] });
    small.close();
    small.close();
    expect(refusal(() => small.read("a"))).toContain("is closed");
    if (spawnSync("mkfifo", [at("pipe")]).status !== 0) context.skip("no mkfifo here");
    expect(refusal(() => openSafetensors(at("pipe")))).toContain("is not a regular file");
  });

  test("an open file goes on reading what it opened when another takes its place, and notices when it shrinks", () => {
    const path = at("replaced");
    const one = new Map([["a", { data: Int32Array.of(1, 2), shape: [2] }]]);
    writeSafetensors(path, one);
    const earlier = openSafetensors(path);
    writeSafetensors(path, new Map([["a", { data: Int32Array.of(3, 4), shape: [2] }]]));
    expect(earlier.readInts("a").data).toEqual(Int32Array.of(1, 2));
    earlier.close();
    const shrinking = openSafetensors(path);
    fs.truncateSync(path, fs.statSync(path).size - 3);
    expect(refusal(() => shrinking.read("a"))).toContain("it has shrunk");
    expect(refusal(() => shrinking.readFloats("a"))).toContain("it has shrunk");
    shrinking.close();
  });

  test("files are closed after reading, and when they are refused", (context) => {
    if (!fs.existsSync("/proc/self/fd")) context.skip("no /proc/self/fd here");
    const path = at("refused");
    fs.writeFileSync(path, "not a safetensors file");
    const before = openFiles();
    for (let i = 0; i < 20; i++) refusal(() => openSafetensors(path));
    const bytes = file('{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', 1);
    fs.writeFileSync(path, bytes);
    for (let i = 0; i < 20; i++) readSafetensors(path);
    bytes[bytes.length - 1] = 2;
    fs.writeFileSync(path, bytes);
    for (let i = 0; i < 20; i++) refusal(() => readSafetensors(path));
    expect(openFiles()).toBe(before);
  });
});

describe("traces recorded with PyTorch", () => {
  const { path: traces, absent, note } = sharedData("traces");

  const reads = `every file reads: dtypes, tokens, configuration; what is written again reads the same${note}`;
  test.skipIf(absent)(reads, () => {
    const paths = fs.readdirSync(traces).filter((name) => name.endsWith(".safetensors"));
    expect(paths.length).toBeGreaterThan(0);
    for (const name of paths) {
      const path = join(traces, name);
      const trace = openSafetensors(path);
      const config = JSON.parse(trace.metadata.config);
      const embedding = trace.readFloats("weights.tok_embeddings.weight");
      expect(embedding.shape).toEqual([config.vocabSize, config.dim]);
      const { data } = trace.read("activations.embedding");
      expect(data).toBeInstanceOf(name.includes(".f64.") ? Float64Array : Float32Array);
      expect(embedding.data.every(Number.isFinite)).toBe(true);
      const tokens = trace.readInts("tokens");
      expect(tokens.shape.length).toBe(3);
      expect(tokens.data.every((id) => id >= 0 && id < config.vocabSize)).toBe(true);
      trace.close();
      const { tensors, metadata } = readSafetensors(path);
      const again = parseSafetensors(encode(tensors, metadata));
      expectSame(again, tensors);
      expect({ ...again.metadata }).toEqual({ ...metadata });
    }
  });
});
