import { expect, it } from "vitest";
import { SizeRecord } from "../../judge/tried.ts";

it("the sizes of a run are the range of each axis, and the longest of several at once", () => {
  const record = new SizeRecord(["R", "O", "C"]);
  for (const sizes of [{ R: 3, O: 40, C: 0 }, { R: 70, O: 50, C: 9 }, { R: 2, O: 9, C: 900, eps: "1e-5" }]) record.add(sizes); // prettier-ignore
  expect(record.tried()).toEqual({
    axes: { R: [2, 70], O: [9, 50], C: [0, 900] },
    together: { R·O: 50, R·C: 9, O·C: 9, R·O·C: 9 },
    never: ["R beyond 70", "O beyond 50", "C beyond 900", "R·C beyond 9", "O·C beyond 9", "R·O·C beyond 9"],
  });
});

it("a run without cases tried nothing", () => {
  expect(new SizeRecord(["N"]).tried()).toEqual({ axes: {}, together: {}, never: [] });
});

it("two axes that were both beyond 2,048 leave no gap, nor does an axis that was long wherever the other was", () => {
  const record = new SizeRecord(["R", "C"]);
  for (const sizes of [
    { R: 65_537, C: 2 },
    { R: 2060, C: 2050 },
    { R: 3, C: 9000 },
  ])
    record.add(sizes);
  expect(record.tried().never).toEqual(["R beyond 65537", "C beyond 9000"]);
  const heads = new SizeRecord(["B", "T"]);
  for (const sizes of [
    { B: 65, T: 70 },
    { B: 1, T: 4000 },
  ])
    heads.add(sizes);
  expect(heads.tried().never).toEqual(["B beyond 65", "T beyond 4000"]);
});
