// The table of what would have been missed: limits are said to be limits, and it fits a terminal.
import { expect, test } from "vitest";
import { missedLines } from "../../cli/check-missed.ts";
import type { Checked } from "../../judge/check.ts";
import type { Missed } from "../../judge/missed.ts";

const same = (places: number, missed: number) => {
  const one = { places, missed };
  return { zero: one, neighbour: one, percent: one };
};
const dy: Missed = {
  element: { ...same(2560, 0), percent: { places: 2560, missed: 512 } },
  row: same(10_240, 0),
  tile: { ...same(10_240, 0), zero: { places: 10_240, missed: 20.5 } },
  hundredth: { ...same(10, 1e-200), percent: { places: 10, missed: 0.001 } },
};
const oneAxis: Missed = { ...dy, row: same(0, 0) };

const lines = (missed: Record<string, Missed>, smallestRow: Record<string, number> = {}): string[] =>
  missedLines({ report: { op: "attention.backward", missed, smallestRow } } as unknown as Checked);

test("a share is printed, or the limit where nothing was missed", () => {
  const [head, ...table] = lines({ dy });
  expect(head).toBe("attention.backward: a fault at one place of a large case is missed with this probability");
  const cells = table.filter((line) => line.includes("dy")).map((line) => line.split("│").map((cell) => cell.trim()));
  expect(cells.map((row) => row.slice(2, -1))).toEqual([
    ["0", "< 0.12 %", "< 0.029 %", "0.2 %", "< 0.0001 %"],
    ["next", "< 0.12 %", "< 0.029 %", "< 0.029 %", "< 0.0001 %"],
    ["1 % off", "20 %", "< 0.029 %", "< 0.029 %", "0.01 %"],
  ]);
  for (const line of table) expect(line.length).toBeLessThanOrEqual(80);
});

test("what is improbable has a row of its own, where it is asked and shows more, and a line that says so", () => {
  const asked: Missed = { ...dy, element: { ...same(2560, 0), percent: { places: 2560, missed: 512, byEither: 256 } } };
  const table = lines({ dy: asked });
  const cells = table
    .filter((line) => line.includes("nor improbable │"))
    .map((line) => line.split("│").map((cell) => cell.trim()));
  expect(cells).toEqual([["", "", "nor improbable", "10 %", "< 0.029 %", "< 0.029 %", "0.01 %", ""]]);
  expect(table.at(-1)).toBe("nor improbable: missed by the bounds, and not improbable either");
  expect(lines({ dy }).join("\n")).not.toMatch(/improbable/);
});

test("an output of one axis has no rows, and a run without large cases no table", () => {
  expect(lines({ dy: oneAxis }).filter((line) => /│\s+│/.test(line))).toHaveLength(3);
  expect(lines({})).toEqual([]);
});

test("what a projection sees is a line for each output", () => {
  const [line] = lines({ dy }, { dy: 3.21e-6 }).slice(-1);
  expect(line).toBe(
    "attention.backward: a row of dy that is wrong by 3e-6 of its norm stands out in a random projection, and is noted where its bounds allow that",
  );
});
