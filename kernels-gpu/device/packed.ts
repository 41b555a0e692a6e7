// Tensors stored in 16 bits, two to a word: element i is the lower half of word i / 2 if i is even, the upper if it is odd.
//
// WGSL has no bfloat16, and float16 only where a device offers it. So a kernel is written for float32, and where a tensor
// is stored low, the text of the kernel is changed: an element that is read is widened, one that is written is rounded to
// nearest, ties to even. In between everything is float32.
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../../reference/halves.ts";
import type { Floats } from "../../reference/tensor.ts";
import type { KernelText } from "./substitutes.ts";
import type { ElementType } from "./wgsl.ts";

export type LowType = "bf16" | "f16";
/** How a tensor's elements are stored. */
export type StoredType = ElementType | LowType;

/** The low type of each dtype. */
export const lowTypes = { bfloat16: "bf16", float16: "f16" } as const satisfies Record<string, LowType>;

export function isLow(type: StoredType): type is LowType {
  return type === "bf16" || type === "f16";
}

/** Bytes of an element. */
export function elementSize(type: StoredType): number {
  return isLow(type) ? 2 : 4;
}

/** Elements as they lie in a buffer, one entry each: halves, or words. */
export function elementsIn(words: Uint32Array, type: StoredType): Uint16Array | Uint32Array {
  return isLow(type) ? new Uint16Array(words.buffer, words.byteOffset, 2 * words.length) : words;
}

/** Numbers rounded to a low type, one half each. */
export function toHalves(data: Floats, type: LowType): Uint16Array {
  return Uint16Array.from(data, type === "bf16" ? encodeBfloat16 : encodeFloat16);
}

/** The numbers of halves, exactly. */
export function fromHalves(halves: Uint16Array, type: LowType): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, type === "bf16" ? decodeBfloat16 : decodeFloat16);
}

const widen = {
  bf16: `fn widen_bf16(half: u32) -> f32 { return bitcast<f32>(half << 16); }`,
  f16: `fn widen_f16(half: u32) -> f32 {
  let sign = (half & 0x8000) << 16;
  let magnitude = half & 0x7fff;
  if (magnitude < 0x400) { return select(1.0, -1.0, sign != 0) * f32(magnitude) * 0x1p-24; }  // subnormal
  if (magnitude < 0x7c00) { return bitcast<f32>(sign | ((magnitude << 13) + (112u << 23))); }
  return bitcast<f32>(sign | 0x7f800000 | (magnitude << 13));
}`,
};

// To nearest, ties to even: half a unit less one is added, and one more where the last bit kept is odd; then the lower bits
// are cut off. All of it is in integers, which no implementation may reassociate or flush.
const narrow = {
  bf16: `fn narrow_bf16(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) { return (bits >> 16) | 0x40; }  // a NaN stays one
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}`,
  f16: `fn narrow_f16(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let sign = (bits >> 16) & 0x8000;
  let magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) { return sign | 0x7e00; }
  if (magnitude >= 0x477ff000) { return sign | 0x7c00; }  // from 65,520 on
  if (magnitude >= 0x38800000) {                          // from 2^-14 on
    let rebased = magnitude - (112u << 23);
    return sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13);
  }
  if (magnitude <= 0x33000000) { return sign; }           // up to 2^-25, half of the smallest
  let m = (magnitude & 0x7fffff) | 0x800000;
  let cut = 126 - (magnitude >> 23);
  return sign | ((m + (1u << (cut - 1)) - 1 + ((m >> cut) & 1)) >> cut);
}`,
};

/**
 * A kernel's text for tensors of which some are stored low. Throws SyntaxError for a use of such a tensor that is neither a read
 * nor a plain assignment of one element, such as `y[i] += x` or `arrayLength(&y)`.
 */
export function packedSource(
  file: string,
  { text, module }: KernelText,
  types: ReadonlyMap<string, LowType>,
): KernelText {
  if (types.size === 0) return { text, module };
  const code = blanked(file, text);
  const declarations = module.bindings.flatMap(({ name, access, type }) => {
    const low = types.get(name);
    if (low === undefined) return [];
    if (type !== "f32") throw new SyntaxError(`${file}: ${name} is ${type}, only f32 can be stored as ${low}`);
    return [{ name, low, isWritten: access === "read_write" }];
  });
  const rewriter = new Rewriter(file, code, new Map(declarations.map((d) => [d.name, d.isWritten])));
  let changed = rewriter.rewrite();
  const used = new Set(declarations.map(({ low }) => low));
  for (const { name, isWritten } of declarations) {
    const declaration = new RegExp(`(var<[^>]*>\\s*${name}\\s*:\\s*)array<f32>`);
    if (!declaration.test(changed)) throw new SyntaxError(`${file}: ${name} must be an array<f32> to be stored low`);
    changed = changed.replace(declaration, isWritten ? "$1array<atomic<u32>>" : "$1array<u32>");
  }
  const helpers = [...used].flatMap((low) => [widen[low], narrow[low]]);
  const accessors = declarations.map(({ name, low, isWritten }) => accessor(name, low, isWritten));
  return { text: [changed, ...helpers, ...accessors, ""].join("\n"), module };
}

// Two invocations may write the two halves of a word, so each changes its own half only. Their order does not matter,
// because neither touches the other's bits. The arguments' names begin with the tensor's, so none can shadow it.
function accessor(name: string, low: LowType, isWritten: boolean): string {
  const [at, value, shift] = [`${name}_at`, `${name}_value`, `${name}_shift`];
  const word = isWritten ? `atomicLoad(&${name}[${at} / 2])` : `${name}[${at} / 2]`;
  const get = `fn ${name}_get(${at}: u32) -> f32 { return widen_${low}((${word} >> (16 * (${at} % 2))) & 0xffff); }`;
  if (!isWritten) return get;
  return `${get}
fn ${name}_set(${at}: u32, ${value}: f32) {
  let ${shift} = 16 * (${at} % 2);
  atomicAnd(&${name}[${at} / 2], ~(0xffffu << ${shift}));
  atomicOr(&${name}[${at} / 2], narrow_${low}(${value}) << ${shift});
}`;
}

// WGSL 3.4 and 3.5: a line comment ends at any line break, a block comment holds others; what opens one within the other is text.
const COMMENT = /\/\/[^\n\v\f\r\u0085\u2028\u2029]*|\/\*/;
const BLOCK_MARK = /\/\*|\*\//g;

/** The text without its comments, with all its line breaks. */
function blanked(file: string, text: string): string {
  let out = "";
  let rest = text;
  for (let found = COMMENT.exec(rest); found !== null; found = COMMENT.exec(rest)) {
    const end = found[0] === "/*" ? endOfBlock(file, rest, found.index) : found.index + found[0].length;
    out += rest.slice(0, found.index) + " " + rest.slice(found.index, end).replaceAll(/[^\n]/g, "");
    rest = rest.slice(end);
  }
  return out + rest;
}

/** The end of the block comment that begins there. */
function endOfBlock(file: string, text: string, start: number): number {
  let depth = 0;
  BLOCK_MARK.lastIndex = start;
  for (let found = BLOCK_MARK.exec(text); found !== null; found = BLOCK_MARK.exec(text)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return BLOCK_MARK.lastIndex;
  }
  throw new SyntaxError(`${file}: a /* without its */`);
}

const OPENING: Record<string, number> = { "(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1 };

/** Replaces `name[index]` and `name[index] = value;` by calls of the accessors. */
class Rewriter {
  readonly #file: string;
  readonly #code: string;
  readonly #written: ReadonlyMap<string, boolean>;
  readonly #use: RegExp;

  constructor(file: string, code: string, written: ReadonlyMap<string, boolean>) {
    this.#file = file;
    this.#code = code;
    this.#written = written;
    const names = [...written.keys()].join("|");
    this.#use = new RegExp(`(?<![\\p{ID_Continue}.])(${names})(?!\\p{ID_Continue})(\\s*)(.?)`, "gu");
  }

  /** The code from one place to another. */
  rewrite(from = 0, to = this.#code.length): string {
    const code = this.#code;
    const use = new RegExp(this.#use);
    use.lastIndex = from;
    let out = "";
    let at = from;
    for (let found = use.exec(code); found !== null && found.index < to; found = use.exec(code)) {
      const [whole, name, , next] = found;
      if (next === ":" && /var<[^>]*>\s*$/.test(code.slice(0, found.index))) continue; // its declaration
      if (next !== "[") throw this.#wrong(found.index, name);
      out += code.slice(at, found.index);
      const opening = found.index + whole.length - 1;
      const closing = this.#closing(opening + 1);
      if (code[closing] !== "]") throw new SyntaxError(`${this.#file}: a [ without its ]`);
      const index = this.rewrite(opening + 1, closing);
      const rest = code.slice(closing + 1);
      const assigned = /^\s*=(?!=)/.exec(rest);
      if (assigned !== null) {
        const start = closing + 1 + assigned[0].length;
        const end = this.#closing(start, ";"); // or where the head of a for ends
        if (!/[;)]/.test(code[end] ?? "") || !this.#written.get(name)) throw this.#wrong(found.index, name);
        out += `${name}_set(u32(${index}), ${this.rewrite(start, end).trim()})`;
        at = end;
      } else {
        const isChanged = /^\s*([-+*/%&|^]|<<|>>)=(?!=)|^\s*(\+\+|--|\.|\[)/.test(rest);
        if (isChanged || /(?<!&)&\s*$/.test(out)) throw this.#wrong(found.index, name);
        out += `${name}_get(u32(${index}))`;
        at = closing + 1;
      }
      use.lastIndex = at;
    }
    return out + code.slice(at, to);
  }

  /** Where the brackets that are open at `from` close, or the first `mark` outside of others; -1 if the code ends first. */
  #closing(from: number, mark?: string): number {
    let depth = 1;
    for (let i = from; i < this.#code.length; i++) {
      depth += OPENING[this.#code[i]!] ?? 0;
      if (depth === 0 || (depth === 1 && this.#code[i] === mark)) return i;
    }
    return -1;
  }

  #wrong(at: number, name: string): SyntaxError {
    const line = this.#code.slice(0, at).split("\n").length;
    return new SyntaxError(
      `${this.#file}:${line} ${name} is stored in 16 bits, so it can only be read as ${name}[i] or written as ${name}[i] = value;`,
    );
  }
}
