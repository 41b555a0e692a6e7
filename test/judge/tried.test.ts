import { expect, it } from "vitest";
import { SizeRecord } from "../../judge/tried.ts";

it("the sizes of a run are the range of each axis, and the longest of several at once", () => {
  const record = new SizeRecord(["R", "O", "C"]);
  for (const sizes of [{ R: 3, O: 40, C: 0 }, { R: 70, O: 50, C: 9 }, { R: 2, O: 9, C: 900, eps: "1e-5" }]) record.add(sizes); // prettier-ignore
  expect(record.tried()).toEqual({
    axes: { R: [2, 70], O: [9, 50], C: [0, 900] },
    together: { R·O: 50, R·C: 9, O·C: 9, R·O·C: 9 },
  });
});

it("a run without cases tried nothing", () => {
  expect(new SizeRecord(["N"]).tried()).toEqual({ axes: {}, together: {} });
});
