// What the compiler must refuse: a row without one of its fields, and a list without one of its ops. Each is made from the
// tree's own file by leaving one thing out, and the compiler runs once over all of them.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { operations } from "../../reference/ops/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
mkdirSync(join(root, ".build"), { recursive: true });
const scratch = mkdtempSync(join(root, ".build", "types-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A file of the tree without a part of its text, whose imports still lead where they did. */
interface Lacking {
  readonly name: string;
  readonly text: string;
}

function moved(path: string, text: string): string {
  return text.replaceAll(/from "(\.[^"]+)"/g, (_, to: string) => {
    const from = relative(scratch, resolve(join(root, dirname(path)), to))
      .split(sep)
      .join("/");
    return `from "${from}"`;
  });
}

/** The fields of the object literal that begins with `opening`, each as its lines. */
function fieldsOf(text: string, opening: string): string[] {
  const start = text.indexOf(opening) + opening.length;
  const body = text.slice(start, text.indexOf("\n});", start));
  return body.split(/\n(?= {2}[a-zA-Z]+[:(,])/).slice(1);
}

function withoutFields(path: string, opening: string): Lacking[] {
  const text = readFileSync(join(root, path), "utf8");
  return fieldsOf(text, opening).map((field) => ({
    name: `${path} without ${/[a-zA-Z]+/.exec(field)![0]}`,
    text: moved(path, text.replace(`\n${field}`, "")),
  }));
}

function withoutEntries(path: string, entry: RegExp): Lacking[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(entry)].map(([line, op]) => ({
    name: `${path} without ${op}`,
    text: moved(path, text.replace(line, "")),
  }));
}

const entry = /^ {2}"?([a-z.-]+)"?: [a-zA-Z.]+,\n/gm;
const rows = [
  ...withoutFields("reference/ops/add.bound.ts", "defineOp({"),
  ...withoutFields("judge/ops/add.ts", 'judgeRow("add.forward", {'),
];
const lists = ["judge/ops/index.ts", "zoo/index.ts", "kernels-gpu/index.ts", "zoo/mutants/index.ts"].map((path) =>
  withoutEntries(path, entry),
);
const all = [...rows, ...lists.flat()];
const whole = ["reference/ops/add.bound.ts", "judge/ops/add.ts", "zoo/index.ts"];

/** The files that the compiler refuses for their types: 1360 is `satisfies`, what begins with 2 is semantic. */
function refused(): Set<string> {
  for (const [i, { text }] of all.entries()) writeFileSync(join(scratch, `lacking-${i}.ts`), text);
  for (const [i, path] of whole.entries()) {
    writeFileSync(join(scratch, `whole-${i}.ts`), moved(path, readFileSync(join(root, path), "utf8")));
  }
  const config = { extends: "../../tsconfig.json", compilerOptions: { noUnusedLocals: false }, include: ["*.ts"] };
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(config));
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  try {
    execFileSync(process.execPath, [compiler, "-p", scratch, "--pretty", "false"], { encoding: "utf8", stdio: "pipe" });
    return new Set();
  } catch (error) {
    const said = (error as { stdout: string }).stdout;
    const files = [...said.matchAll(/^([^\s(][^(\n]*)\(\d+,\d+\): error TS(?:2\d{3}|1360):/gm)].map(([, file]) =>
      file.split("/").at(-1)!,
    );
    return new Set(files);
  }
}

test("a row lacks no field and a list no op, or it does not compile", () => {
  expect(rows).toHaveLength(13 + 21); // the fields of defineOp and of judgeRow
  const ops = operations.size;
  const stems = new Set([...operations.keys()].map((op) => op.split(".")[0])).size;
  expect(lists.map(({ length }) => length)).toEqual([ops, ops, ops, stems]);
  const errors = refused();
  const accepted = all.filter((_, i) => !errors.has(`lacking-${i}.ts`)).map(({ name }) => name);
  expect(accepted).toEqual([]);
  expect(whole.filter((_, i) => errors.has(`whole-${i}.ts`))).toEqual([]);
}, 120_000);
