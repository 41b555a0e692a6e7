// Who may import whom: the folders' arrows, and the reference's independence of every engine's own functions.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Import {
  readonly from: string;
  /** A path from the root, or a package's name. */
  readonly to: string;
  readonly typesOnly: boolean;
}

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

function importsOf(folder: string): Import[] {
  return filesOf(folder).flatMap((from) => {
    const text = readFileSync(join(root, from), "utf8");
    const statements = text.matchAll(/^(?:import|export)\s(?:([^;"]*?)\sfrom\s)?"([^"]+)";$|import\("([^"]+)"\)/gm);
    return [...statements].map(([, clause = "", named, dynamic]) => {
      const target = named ?? dynamic;
      const path = join(dirname(from), target).split(sep).join("/");
      return { from, to: target.startsWith(".") ? path : target, typesOnly: clause.startsWith("type ") };
    });
  });
}

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

describe("arrows", () => {
  test.each(Object.entries(arrows))("%s imports itself and [%s]", (room, below) => {
    const own = importsOf(room);
    expect(own.length).toBeGreaterThan(5);
    expect(own.filter(({ to }) => within(to, ...rooms) && !within(to, room, ...below))).toEqual([]);
  });

  test("reference imports nothing outside itself, not even of Node", () => {
    expect(importsOf("reference").filter(({ to }) => !within(to, "reference"))).toEqual([]);
  });

  test("kernels-gpu runs none of the reference's ops and bounds: it is what is judged", () => {
    const judges = ["reference/ops", "reference/model/block.ts", "reference/model/model.ts"];
    const runs = importsOf("kernels-gpu").filter(
      ({ to, typesOnly }) => !typesOnly && judges.some((path) => to.startsWith(path)),
    );
    expect(runs).toEqual([]);
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
