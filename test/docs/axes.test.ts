// The table of axis letters in reference/README.md: every letter of a signature or of the block's tables, and no other.
import { expect, test } from "vitest";
import { blockTensors, blockWeights } from "../../reference/model/block-table.ts";
import { modelTensors } from "../../reference/model/model-table.ts";
import { axesOf } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { sectionsOf } from "./page.ts";

/** No axis of a tensor, but said of the model: x_L. */
const BLOCKS = "L";

test("has every axis letter", () => {
  const listed = [
    ...sectionsOf("reference/README.md")
      .get("Axes")!
      .matchAll(/^\| `(\w+)` /gm),
  ].map(([, letter]) => letter);
  const tables = [...Object.values(blockTensors), ...Object.values(modelTensors)].map(({ shape }) => shape);
  const used = [
    ...[...operations.values()].flatMap(({ inputs, outputs }) =>
      [...Object.values(inputs), ...Object.values(outputs)].flatMap(axesOf).map((axis) => axis.replace("/2", "")),
    ),
    ...[...tables, ...Object.values(blockWeights)].flat(),
  ];
  expect(listed.toSorted()).toEqual([...new Set([...used, BLOCKS])].toSorted());
});
