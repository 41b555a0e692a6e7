// Who may import whom: the folders' arrows, and the reference's independence of every engine's own functions.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { circlesIn, filesOf, importsOf } from "./imports.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const within = (to: string, ...folders: string[]): boolean => folders.some((folder) => to.startsWith(`${folder}/`));

/** The rooms from the lowest to the highest, and the rooms that each may import. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  reference: [],
  formats: ["reference"],
  zoo: ["reference"],
  trace: ["reference", "formats"],
  judge: ["reference", "formats", "zoo", "trace"],
  golden: ["reference", "formats", "zoo", "trace", "judge"],
  "kernels-gpu": ["reference"],
  training: ["reference", "formats", "trace"],
  cli: ["reference", "formats", "zoo", "trace", "judge", "golden", "kernels-gpu", "training"],
};
const rooms = [...Object.keys(arrows), "bench", "test"];

/** The same within the reference: its folders from the lowest to the highest; the files at its top come in addition. */
const withinReference: Readonly<Record<string, readonly string[]>> = {
  ops: [],
  model: ["ops"],
  planning: ["model"],
  training: ["ops", "model"],
  text: ["training"],
  parallel: ["ops", "model", "planning", "training"],
};

describe("arrows", () => {
  test.each(Object.entries(withinReference))(
    "reference/%s imports itself, the reference's own files and [%s]",
    (folder, below) => {
      const folders = Object.keys(withinReference).map((name) => `reference/${name}`);
      const allowed = [folder, ...below].map((name) => `reference/${name}`);
      const own = importsOf(`reference/${folder}`);
      expect(own.length).toBeGreaterThan(5);
      expect(own.filter(({ to }) => within(to, ...folders) && !within(to, ...allowed))).toEqual([]);
    },
  );

  test.each(Object.entries(arrows))("%s imports itself and [%s]", (room, below) => {
    const own = importsOf(room);
    expect(own.length).toBeGreaterThan(5);
    expect(own.filter(({ to }) => within(to, ...rooms) && !within(to, room, ...below))).toEqual([]);
  });

  test("reference imports nothing outside itself, not even of Node", () => {
    expect(importsOf("reference").filter(({ to }) => !within(to, "reference"))).toEqual([]);
  });

  test("kernels-gpu runs none of the reference's ops and bounds, which judge it", () => {
    const judges = ["reference/ops", "reference/model/block.ts", "reference/model/model.ts"];
    const runs = importsOf("kernels-gpu").filter(
      ({ to, typesOnly }) => !typesOnly && judges.some((path) => to.startsWith(path)),
    );
    expect(runs).toEqual([]);
  });
});

/** Entries and scripts at the top of the tree. */
const entries = readdirSync(root).filter((name) => name.endsWith(".ts"));

describe("circles", () => {
  test("no room imports a room above it", () => {
    const order = Object.keys(arrows);
    for (const [room, below] of Object.entries(arrows)) {
      for (const other of below)
        expect(order.indexOf(other), `${room} imports ${other}`).toBeLessThan(order.indexOf(room));
    }
  });

  test("files import one another in a circle only for types", () => {
    expect(circlesIn([...rooms, ...entries].flatMap(importsOf))).toEqual([]);
  });

  test("a circle of two or three files is found, and a circle of types is not one", () => {
    const [a, b, c] = ["a.ts", "b.ts", "c.ts"];
    const value = (from: string, to: string) => ({ from, to, typesOnly: false });
    expect(circlesIn([value(a, b), value(b, c)])).toEqual([]);
    expect(circlesIn([value(a, b), value(b, a), value(b, c)])).toEqual([[a, b]]);
    expect(circlesIn([value(a, b), value(b, c), value(c, a)])).toEqual([[a, b, c]]);
    expect(circlesIn([value(a, b), { from: b, to: a, typesOnly: true }])).toEqual([]);
  });
});

test("reference uses no function whose bits an engine may choose, and no ** (ECMA-262, section 21.3.2)", () => {
  const chosen =
    /\bMath\.(exp|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sinh|cosh|tanh|asin|acos|atan2?|hypot|cbrt|random)\b|\*\*(?!\/)/;
  for (const file of filesOf("reference")) {
    const code = readFileSync(join(root, file), "utf8")
      .replaceAll(/\/\*[\s\S]*?\*\//g, "")
      .replaceAll(/\/\/.*$/gm, "");
    expect([file, chosen.exec(code)?.[0]]).toEqual([file, undefined]);
  }
});

test("kernels-gpu/device is layered as its README lists it: each file imports values from files above it only", () => {
  const readme = readFileSync(join(root, "kernels-gpu/README.md"), "utf8");
  const table = readme.slice(readme.indexOf("The machinery, in `device/`"), readme.indexOf("## Writing a kernel"));
  const order = [...table.matchAll(/`([\w-]+\.ts)`/g)].map(([, name]) => `kernels-gpu/device/${name}`);
  expect(order.toSorted()).toEqual(filesOf("kernels-gpu/device").toSorted());
  const upwards = importsOf("kernels-gpu/device").filter(
    ({ from, to, typesOnly }) => !typesOnly && within(to, "kernels-gpu") && order.indexOf(to) >= order.indexOf(from),
  );
  expect(upwards).toEqual([]);
});

/** Files that may read by other means, with the reason. */
const otherReaders: Readonly<Record<string, string>> = {
  "formats/input.ts": "the one way",
  "formats/bytes.ts": "reads from a descriptor that input.ts has opened",
  "formats/owner.ts": "reads /proc, whose files have no size",
  "judge/candidates/descendants.ts": "reads /proc, whose files have no size",
  "judge/candidates/scratch.ts": "copies a candidate's files, and follows no link that it has left",
  "judge/candidates/watch.ts": "writes only, in the text of a worker",
  "formats/atomic.ts": "opens to write, and a folder to flush it",
  "kernels-gpu/texts.ts": "reads the kernels' own texts, and may not import formats",
  "kernels-gpu/embed.ts": "reads the kernels' own texts, and may not import formats",
  "kernels-gpu/device/lint.ts": "reads the kernels' own texts, and may not import formats",
  "kernels-gpu/device/cache.ts": "reads an installed package's unpacked files, and may not import formats",
  "kernels-gpu/device/software.ts": "reads an installed package's archive, and may not import formats",
};
const reading =
  /\b(readFile|readFileSync|open|openSync|openAsBlob|createReadStream|read|readSync|readv|readvSync|fs)\b/;

test("no other source opens a file to read it", () => {
  const sources = [...Object.keys(arrows), "bench", "index.ts", "node.ts", "vitest.ts", "webgpu.ts"];
  const readers = sources.flatMap(filesOf).filter((file) => {
    const text = readFileSync(join(root, file), "utf8");
    const imports = text.matchAll(
      /import\s([^;"]*?)\sfrom\s"(?:node:)?fs(?:\/promises)?";|(?:import|require)\("(?:node:)?fs/g,
    );
    // Without a list of names (import * as fs, import("node:fs")) it may call anything.
    return [...imports].some(([, names]) => names === undefined || !names.startsWith("{") || reading.test(names));
  });
  expect(readers.toSorted()).toEqual(Object.keys(otherReaders).toSorted());
});
