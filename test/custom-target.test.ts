// A user's own target, from JSON: what it may say, and each way in which it is wrong.
import { describe, expect, test } from "vitest";
import { customTarget } from "../reference/custom-target.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import { Arithmetic } from "../reference/rounding.ts";
import { type Target, targets } from "../reference/targets.ts";

const all: readonly Target[] = Object.values(targets);

const whole = (): Record<string, unknown> => ({
  name: "mine",
  source: "its manual",
  u: "2^-23",
  flushes: true,
  promisesNonFinite: false,
  functions: { exp: [{ from: -80, to: 80, ulp: 3, ulpPerArgument: 2 }] },
});

describe("customTarget", () => {
  test.each(all)("reads back $name as it was written", (target) => {
    expect(customTarget(JSON.parse(JSON.stringify(target)))).toEqual(target);
  });

  test("numbers as text, gaps, functions left out, stores", () => {
    const target = customTarget({
      ...whole(),
      functions: {
        log: [
          { from: "2^-126", to: "0.5", ulp: "3" },
          { from: 2, to: "1.5 * 2^100", absolute: "4.5*2^-23", relative: "+1e-7" },
        ],
        sin: [{ from: "-2^1", to: "-2e-1", ulp: ".5" }],
      },
      stores: { P: "bfloat16" },
    });
    expect(target.u).toBe(powerOfTwo(-23));
    expect(target.functions.log).toEqual([
      { from: powerOfTwo(-126), to: 0.5, ulp: 3 },
      { from: 2, to: 1.5 * powerOfTwo(100), absolute: 4.5 * powerOfTwo(-23), relative: 1 / 1e7 },
    ]);
    expect(target.functions.sin).toEqual([{ from: -2, to: -0.2, ulp: 0.5 }]);
    expect(target.functions.divide).toEqual([]);
    expect(target.stores).toEqual({ P: "bfloat16" });
    const a = new Arithmetic(target);
    expect(a.accuracy("log", a.exact(1), 0)).toBe(Infinity); // in the gap
    expect(a.accuracy("divide", a.exact(1), 1)).toBe(Infinity); // left out
    expect(a.log({ value: 1.5, error: 1.25 }).error).toBe(Infinity); // across the gap
  });

  const without = (field: string): unknown =>
    Object.fromEntries(Object.entries(whole()).filter(([key]) => key !== field));
  const withExp = (...regions: unknown[]): unknown => ({ ...whole(), functions: { exp: regions } });

  const rejected: readonly [string, unknown, ErrorConstructor, RegExp][] = [
    ["nothing", undefined, TypeError, /^target: got nothing/],
    ["null", null, TypeError, /^target: got null/],
    ["an array", [], TypeError, /^target: /],
    ["a text", "cuda", TypeError, /^target: /],
    ["an unknown field", { ...whole(), flush: true }, TypeError, /^target: unknown "flush", nearest: flushes, /],
    ["no name", without("name"), TypeError, /^name: got nothing/],
    ["an empty name", { ...whole(), name: "" }, TypeError, /^name: /],
    ["no source", without("source"), TypeError, /^source: /],
    ["no u", without("u"), TypeError, /^u: got nothing/],
    ["u of zero", { ...whole(), u: 0 }, RangeError, /^u: got 0/],
    ["u of one", { ...whole(), u: 1 }, RangeError, /^u: /],
    ["u negative", { ...whole(), u: "-2^-23" }, RangeError, /^u: got "-2\^-23"/],
    ["u NaN", { ...whole(), u: NaN }, RangeError, /^u: got NaN/],
    ["u infinite", JSON.parse('{"name":"m","source":"s","u":1e999,"flushes":true,"functions":{}}'), RangeError, /^u: /],
    ["u no number", { ...whole(), u: "2^^-23" }, RangeError, /^u: got "2\^\^-23"/],
    ["u an empty text", { ...whole(), u: "" }, RangeError, /^u: /],
    ["u with an exponent out of range", { ...whole(), u: "2^-99999" }, RangeError, /^u: /],
    ["u a hexadecimal text", { ...whole(), u: "0x1" }, RangeError, /^u: /],
    ["flushes as text", { ...whole(), flushes: "yes" }, TypeError, /^flushes: got "yes"/],
    ["no promisesNonFinite", without("promisesNonFinite"), TypeError, /^promisesNonFinite: got nothing/],
    ["no functions", without("functions"), TypeError, /^functions: got nothing/],
    [
      "an unknown function",
      { ...whole(), functions: { tan: [] } },
      TypeError,
      /^functions: unknown "tan", nearest: tanh, /,
    ],
    ["an inherited name", { ...whole(), functions: { toString: [] } }, TypeError, /^functions: unknown "toString"/],
    ["regions that are no array", { ...whole(), functions: { exp: {} } }, TypeError, /^functions\.exp: /],
    ["regions that are null", { ...whole(), functions: { exp: null } }, TypeError, /^functions\.exp: got null/],
    ["a region that is no object", withExp(3), TypeError, /^functions\.exp\[0\]: got 3/],
    [
      "an unknown figure",
      withExp({ from: 0, to: 1, ulps: 3 }),
      TypeError,
      /^functions\.exp\[0\]: unknown "ulps", nearest: ulp, /,
    ],
    ["no from", withExp({ to: 1, ulp: 3 }), TypeError, /^functions\.exp\[0\]\.from: got nothing/],
    ["no to", withExp({ from: 1, ulp: 3 }), TypeError, /^functions\.exp\[0\]\.to: got nothing/],
    [
      "from infinite",
      withExp({ from: -Infinity, to: 1, ulp: 3 }),
      RangeError,
      /^functions\.exp\[0\]\.from: got -Infinity/,
    ],
    ["to before from", withExp({ from: 1, to: 0, ulp: 3 }), RangeError, /^functions\.exp\[0\]\.to: got 0/],
    ["no figure", withExp({ from: 0, to: 1 }), TypeError, /^functions\.exp\[0\]: expected at least one/],
    ["a negative figure", withExp({ from: 0, to: 1, ulp: -1 }), RangeError, /^functions\.exp\[0\]\.ulp: got -1/],
    [
      "a figure that is NaN",
      withExp({ from: 0, to: 1, relative: NaN }),
      RangeError,
      /^functions\.exp\[0\]\.relative: /,
    ],
    ["a figure that is null", withExp({ from: 0, to: 1, ulp: null }), TypeError, /^functions\.exp\[0\]\.ulp: got null/],
    [
      "regions that overlap",
      withExp({ from: 0, to: 2, ulp: 1 }, { from: 1, to: 3, ulp: 1 }),
      RangeError,
      /^functions\.exp\[1\]\.from: got 1, expected at least 2/,
    ],
    [
      "regions that descend",
      withExp({ from: 2, to: 3, ulp: 1 }, { from: 0, to: 1, ulp: 1 }),
      RangeError,
      /^functions\.exp\[1\]\.from: got 0/,
    ],
    [
      "an arithmetic that has no bound",
      { ...whole(), arithmetic: "bfloat16" },
      TypeError,
      /^arithmetic: got "bfloat16", expected "float16"/,
    ],
    ["a source that is blank", { ...whole(), source: " \t" }, TypeError, /^source: got " \\t", expected a text/],
    ["expOfZero as text", { ...whole(), expOfZero: "yes" }, TypeError, /^expOfZero: got "yes"/],
    ["an unknown format", { ...whole(), stores: { P: "fp8" } }, TypeError, /^stores\.P: got "fp8"/],
    ["stores that are an array", { ...whole(), stores: ["P"] }, TypeError, /^stores: /],
    ["a text of many lines", { ...whole(), u: "a\nb".repeat(1000) }, RangeError, /^u: /],
  ];

  test.each(rejected)("rejects %s", (_, json, kind, message) => {
    let caught: unknown;
    try {
      customTarget(json);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(kind);
    expect((caught as Error).message).toMatch(message);
    expect((caught as Error).message).not.toContain("\n");
    expect((caught as Error).message.length).toBeLessThan(160);
  });
});
