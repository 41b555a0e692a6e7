// The declarations of a WGSL file, read from its text: the uniform's fields, the bindings with the shapes in their comments,
// entry points and overrides. The text itself goes to the device unchanged.

/** A 4-byte scalar of WGSL that can be shared with the host. */
export type ElementType = "f32" | "i32" | "u32";

/** One field of the uniform struct; its fields are 4-byte scalars, so field k lies at byte 4k. */
export interface Field {
  readonly name: string;
  readonly type: ElementType;
}

/** A storage binding: `@group(0) @binding(1) var<storage, read> gate: array<f32>;  // [R, F]`. */
export interface Binding {
  readonly name: string;
  readonly index: number;
  readonly access: "read" | "read_write";
  /** The type of one 4-byte element: of array<f32>, array<vec4<f32>>, array<atomic<u32>>, … */
  readonly type: ElementType;
  /** The axes in the comment, without spaces ("R,F"); undefined where the comment is missing. */
  readonly axes: string | undefined;
  readonly line: number;
}

/** An override and its default; undefined where there is none, or where it is an expression. */
export interface Override {
  readonly name: string;
  readonly value: number | undefined;
}

/** A WGSL file's declarations. */
export interface WgslModule {
  readonly dims: readonly Field[];
  /** The uniform's binding index; undefined where the file has no uniform. */
  readonly dimsIndex: number | undefined;
  readonly bindings: readonly Binding[];
  readonly entries: readonly string[];
  readonly overrides: readonly Override[];
}

const DECLARATION =
  /^@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(uniform|storage)\s*(?:,\s*(read|read_write)\s*)?>\s*(\w+)\s*:\s*([^;]+);(.*)$/;
const ELEMENT =
  /^array<(?:vec[234]<)?(?:atomic<)?(f32|i32|u32)>*\s*>$|^array<vec[234]([fiu])>$|^(?:atomic<)?(f32|i32|u32)>?$/;
const VECTOR_LETTERS: Record<string, ElementType> = { f: "f32", i: "i32", u: "u32" };

/** Reads a file's declarations. Throws SyntaxError, with file and line, on a declaration it cannot read. */
export function parseWgsl(file: string, source: string): WgslModule {
  const text = withoutBlockComments(source);
  const code = text.replaceAll(/\/\/.*/g, "");
  const bindings: Binding[] = [];
  let dims: Field[] = [];
  let dimsIndex: number | undefined;
  for (const [i, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line.startsWith("//") || !line.includes("@binding")) continue;
    const where = `${file}:${i + 1}`;
    const found = DECLARATION.exec(line);
    if (found === null) {
      throw new SyntaxError(
        `${where}: expected "@group(0) @binding(n) var<storage, read> name: array<f32>;  // [R, C]"`,
      );
    }
    const [, index = "", space, access = "read", name = "", type = "", rest = ""] = found;
    if (space === "uniform") {
      if (dimsIndex !== undefined) throw new SyntaxError(`${where}: a second uniform, ${name}; expected one`);
      dimsIndex = Number(index);
      dims = fieldsOf(where, code, type.trim());
      continue;
    }
    const element = ELEMENT.exec(type.trim());
    if (element === null)
      throw new SyntaxError(`${where}: ${name} is ${type.trim()}, expected an array of f32, i32 or u32`);
    bindings.push({
      name,
      index: Number(index),
      access: access as Binding["access"],
      type: (element[1] ?? element[3] ?? VECTOR_LETTERS[element[2]!]) as ElementType,
      axes: /^\s*\/\/\s*\[([^\]]*)\]/.exec(rest)?.[1]?.replaceAll(/\s/g, ""),
      line: i + 1,
    });
  }
  const entries = [...code.matchAll(/@compute\b[^{]*?\bfn\s+(\w+)/g)].map((found) => found[1]!);
  const overrides = [...code.matchAll(/\boverride\s+(\w+)\s*(?::\s*\w+)?\s*(?:=\s*([^;]+?)\s*)?;/g)].map(
    ([, name = "", value]) => ({ name, value: numberOf(value) }),
  );
  return { dims, dimsIndex, bindings, entries, overrides };
}

function withoutBlockComments(source: string): string {
  return source.replaceAll(/\/\*[^]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, " "));
}

function fieldsOf(where: string, code: string, struct: string): Field[] {
  const body = new RegExp(`\\bstruct\\s+${struct.replaceAll(/\W/g, "")}\\s*\\{([^}]*)\\}`).exec(code)?.[1];
  if (body === undefined) throw new SyntaxError(`${where}: the uniform is ${struct}, expected a struct of this file`);
  return body
    .split(",")
    .map((field) => field.trim())
    .filter((field) => field !== "")
    .map((field) => {
      const found = /^(\w+)\s*:\s*(f32|i32|u32)$/.exec(field);
      if (found === null) throw new SyntaxError(`${where}: ${struct} has "${field}", expected name: u32, i32 or f32`);
      return { name: found[1]!, type: found[2] as ElementType };
    });
}

function numberOf(text: string | undefined): number | undefined {
  if (text === "true" || text === "false") return Number(text === "true");
  const digits = text?.replace(/[iufh]$/, "");
  return digits === undefined || digits === "" || Number.isNaN(Number(digits)) ? undefined : Number(digits);
}

/** The uniform's bytes. Throws RangeError for a value that its field cannot hold. */
export function packDims(fields: readonly Field[], values: Readonly<Record<string, number>>): ArrayBuffer {
  // WGSL 14.4.1: 4-byte scalars follow one another; a uniform buffer's binding is a multiple of 16 bytes.
  const bytes = new ArrayBuffer(Math.ceil(fields.length / 4) * 16);
  const view = new DataView(bytes);
  for (const [i, { name, type }] of fields.entries()) {
    const value = values[name];
    if (typeof value !== "number") throw new RangeError(`${name} is ${String(value)}, expected a number`);
    if (type === "f32") {
      view.setFloat32(4 * i, value, true);
      continue;
    }
    const [least, most] = type === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
      throw new RangeError(`${name} is ${value}, expected a whole number of type ${type}`);
    }
    view.setInt32(4 * i, value | 0, true);
  }
  return bytes;
}
