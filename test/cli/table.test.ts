// Tables and long lines on a terminal that is narrower than they are.
import { expect, test } from "vitest";
import { type Column, folded, foldedLines, tableOf } from "../../cli/table.ts";

const columns: Column[] = [
  ["kernel", "left"],
  ["cases", "right"],
  ["where", "left"],
  ["ulp", "right"],
];
const rows = [
  ["swiglu.forward", 131, "y[2,0]", 7],
  ["add.forward", 12, "y[0]", 0],
];

test("a table that fits is whole", () => {
  expect(tableOf(columns, rows, Infinity).join("\n")).toBe(
    `
┌────────────────┬───────┬────────┬─────┐
│ kernel         │ cases │ where  │ ulp │
├────────────────┼───────┼────────┼─────┤
│ swiglu.forward │   131 │ y[2,0] │   7 │
│ add.forward    │    12 │ y[0]   │   0 │
└────────────────┴───────┴────────┴─────┘`.trimStart(),
  );
});

test.each([41, 40, 33, 32, 26, 25, 1])(
  "at %i columns every cell is there, and each part has the first column",
  (width) => {
    const lines = tableOf(columns, rows, width);
    const heads = lines.filter((line) => line.startsWith("│ kernel "));
    expect(
      heads
        .join("")
        .match(/\w+/g)!
        .filter((word) => word !== "kernel"),
    ).toEqual(["cases", "where", "ulp"]);
    for (const row of rows) {
      const shown = lines.filter((line) => line.includes(String(row[0])));
      expect(shown).toHaveLength(heads.length);
      for (const cell of row) expect(shown.join("")).toContain(` ${cell} `);
    }
    // A part of two columns may have to be wider than the terminal.
    for (const line of lines) if (line.split(/[│┬┼┴]/).length > 5) expect(line.length).toBeLessThanOrEqual(width);
    expect(heads).toHaveLength(width >= 41 ? 1 : width >= 33 ? 2 : 3);
  },
);

test("a long line goes on below itself", () => {
  const text = "dx = rstd · (dn − n · mean(dn · n)),  dw = Σ dy · n,  n = x · rstd,  dn = dy · w";
  expect(folded("rmsnorm  ", text, 60)).toEqual([
    "rmsnorm  dx = rstd · (dn − n · mean(dn · n)),  dw = Σ dy ·",
    "         n,  n = x · rstd,  dn = dy · w",
  ]);
  expect(folded("rmsnorm  ", text, Infinity)).toEqual([`rmsnorm  ${text}`]);
});

test("findings go on two places further in; commands and tables stay whole", () => {
  const finding = "FAIL linear.forward: y[3,4]: got 0, want 0.25, off by 120 × the bound 0.002";
  const again = "  touchstone check --replay 'linear.forward R=9 O=70 C=300 profile=unit seed=5' --dtype float16";
  const head = "┌────────┬─────────┬─────────┬───────────┬────────────┬────────────┐";
  expect(foldedLines([finding, `  ${finding}`, again, head], 44)).toEqual([
    "FAIL linear.forward: y[3,4]: got 0, want",
    "  0.25, off by 120 × the bound 0.002",
    "  FAIL linear.forward: y[3,4]: got 0, want",
    "    0.25, off by 120 × the bound 0.002",
    again,
    head,
  ]);
  expect(foldedLines([finding], Infinity)).toEqual([finding]);
  for (const line of foldedLines([`${finding}\nnext`], 44)) expect(line).not.toContain("\n");
});
