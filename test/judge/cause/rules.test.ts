// The shortest rule that tells lengths that fail from those that do not.
import { expect, test } from "vitest";
import { ruleOf } from "../../../judge/cause/rules.ts";

const all = Array.from({ length: 130 }, (_, i) => i + 1);

test.for<[rule: string, fails: (n: number) => boolean]>([
  ["T ≥ 65", (n) => n >= 65],
  ["T ≤ 16", (n) => n <= 16],
  ["T = 80", (n) => n === 80],
  ["T no multiple of 4", (n) => n % 4 !== 0],
  ["T a multiple of 16", (n) => n % 16 === 0],
  ["T ≡ 15 mod 16", (n) => n % 16 === 15],
  ["T odd", (n) => n % 2 === 1],
  ["T ≡ 1 mod 64, from 65 on", (n) => n % 64 === 1 && n > 1],
  ["T no multiple of 32, from 33 on", (n) => n % 32 !== 0 && n > 32],
  ["T = 64, 80, 96", (n) => [64, 80, 96].includes(n)],
])("%s", ([rule, fails]) => {
  const [yes, no] = [all.filter(fails), all.filter((n) => !fails(n))];
  expect(ruleOf("T", yes, no)).toBe(rule);
});

test("nothing is said of numbers without a rule, nor of few that a remainder fits by chance", () => {
  const primes = all.filter((n) => n > 1 && !all.some((m) => m > 1 && m < n && n % m === 0));
  expect(
    ruleOf(
      "T",
      primes,
      all.filter((n) => !primes.includes(n)),
    ),
  ).toBeUndefined();
  expect(ruleOf("r", [0, 1, 3, 4, 5, 6, 8], [2, 7])).toBeUndefined();
  expect(ruleOf("T", [], all)).toBeUndefined();
});
