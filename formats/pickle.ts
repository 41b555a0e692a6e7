// The pickle inside a PyTorch checkpoint (Python, Lib/pickletools.py; torch/serialization.py), protocol 2, read by a
// machine that can build tensors, tuples and dictionaries, and nothing else. A pickle is a program: GLOBAL names any
// function and REDUCE calls it. Here a GLOBAL is one of the few names below or an error, and REDUCE knows what each
// means; no name from a file is ever looked up.
import { FormatError, quote } from "./error.ts";
import { counted } from "../reference/words.ts";

/** Where a tensor's numbers lie: an entry of the zip, data/<key>, that holds `length` numbers. */
export interface PickledStorage {
  readonly kind: "storage";
  readonly key: string;
  /** PyTorch's name, such as "HalfStorage". */
  readonly type: string;
  readonly length: number;
}

export interface PickledTensor {
  readonly kind: "tensor";
  readonly storage: PickledStorage;
  /** In numbers from the start of the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Storage types of torch and the bytes of a number. */
export const storageTypes: Readonly<Record<string, number>> = {
  DoubleStorage: 8,
  FloatStorage: 4,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
  ComplexFloatStorage: 8,
  ComplexDoubleStorage: 16,
};

/** A name that a pickle may call or hold. */
interface Global {
  readonly kind: "global";
  readonly name: string;
}
interface Dictionary {
  readonly kind: "dictionary";
  readonly entries: Map<string, Value>;
}
interface Tuple {
  readonly kind: "tuple";
  readonly values: readonly Value[];
}
interface Mark {
  readonly kind: "mark";
}
type Value = null | boolean | number | string | Global | Dictionary | Tuple | PickledStorage | PickledTensor | Mark;

const rebuildTensor = "torch._utils._rebuild_tensor_v2";
const orderedDict = "collections.OrderedDict";
const globals = new Set([rebuildTensor, orderedDict, ...Object.keys(storageTypes).map((type) => `torch.${type}`)]);

/** NumPy's limit; no tensor of a checkpoint has more axes. */
const mostAxes = 64;

/** Values that a program puts on its stack or into its memo: a tensor takes about thirty, a checkpoint has a thousand tensors. */
const mostValues = 2 ** 18;

/**
 * The tensors of a pickled dictionary, by name. Throws FormatError, naming what was refused and where: an opcode or a
 * global that is not needed to build tensors, a value that is not a tensor, an ill-formed program.
 */
export function unpickleTensors(path: string, bytes: Uint8Array): Map<string, PickledTensor> {
  const result = run(path, bytes);
  if (!is(result, "dictionary"))
    throw new FormatError(path, `the pickle holds ${describe(result)}, expected a dictionary`);
  const tensors = new Map<string, PickledTensor>();
  for (const [name, value] of result.entries) {
    if (!is(value, "tensor")) {
      throw new FormatError(path, `the pickle holds ${describe(value)} under ${quote(name)}, expected a tensor`);
    }
    tensors.set(name, value);
  }
  return tensors;
}

function run(path: string, bytes: Uint8Array): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: Value[] = [];
  const memo = new Map<number, Value>();
  let at = 0;
  let begin = 0;
  let made = 0;

  function fail(what: string): never {
    throw new FormatError(path, `the pickle has ${what}, at its byte ${begin}`);
  }
  /** Counts before anything is made: one byte of the program may cost a dictionary. */
  function count(): void {
    if (++made > mostValues) fail(`more than ${mostValues} values, expected the tensors of a checkpoint`);
  }
  function push(value: Value): void {
    count();
    stack.push(value);
  }
  function remember(key: number, value: Value): void {
    count();
    memo.set(key, value);
  }
  function take(length: number): number {
    if (!(at + length <= bytes.length)) fail(`${bytes.length} bytes, which end inside an opcode`);
    at += length;
    return at - length;
  }
  const text = (length: number): string => {
    const from = take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, at));
    } catch {
      return fail("a string that is not UTF-8");
    }
  };
  function line(): string {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0 || end - at > 1000) fail("a name without an end");
    const name = text(end - at);
    at = end + 1;
    return name;
  }
  function pop(): Value {
    const value = stack.pop();
    if (value === undefined) return fail("an opcode that takes a value from an empty stack");
    return value;
  }
  function top(): Value {
    const value = pop();
    stack.push(value);
    return value;
  }
  /** Everything above the last mark, which is removed too. */
  function popMark(): Value[] {
    const mark = stack.findLastIndex((value) => is(value, "mark"));
    if (mark < 0) return fail("an opcode that needs a mark where there is none");
    const values = stack.splice(mark + 1);
    stack.pop();
    return values;
  }
  function tuple(values: readonly Value[]): void {
    push({ kind: "tuple", values });
  }
  function setItems(pairs: readonly Value[]): void {
    const target = stack.at(-1);
    if (!is(target, "dictionary")) return fail("items set in something other than a dictionary");
    for (let i = 0; i < pairs.length; i += 2) {
      const [key, value] = [pairs[i], pairs[i + 1]];
      if (typeof key !== "string" || value === undefined) fail(`${describe(key)} as a key, expected a string`);
      target.entries.set(key, value);
    }
  }
  function recall(key: number): void {
    const value = memo.get(key);
    if (value === undefined) return fail(`a look at memo ${key}, which is empty`);
    push(value);
  }
  /** A two's complement integer of any length, little-endian. */
  function long(length: number): number {
    let value = 0n;
    const from = take(length);
    if (length > 8) fail(`an integer of ${length} bytes, expected at most 8`);
    for (let i = length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[from + i]);
    return Number(BigInt.asIntN(8 * length, value));
  }

  const operations: Record<number, () => void> = {
    0x28: () => push({ kind: "mark" }), // MARK
    0x30: () => pop(), // POP
    0x31: () => popMark(), // POP_MARK
    0x4e: () => push(null), // NONE
    0x88: () => push(true), // NEWTRUE
    0x89: () => push(false), // NEWFALSE
    0x4a: () => push(view.getInt32(take(4), true)), // BININT
    0x4b: () => push(bytes[take(1)]), // BININT1
    0x4d: () => push(view.getUint16(take(2), true)), // BININT2
    0x8a: () => push(long(bytes[take(1)])), // LONG1
    0x47: () => push(view.getFloat64(take(8), false)), // BINFLOAT
    0x58: () => push(text(view.getUint32(take(4), true))), // BINUNICODE
    0x7d: () => push({ kind: "dictionary", entries: new Map() }), // EMPTY_DICT
    0x73: () => setItems(stack.splice(-2)), // SETITEM
    0x75: () => setItems(popMark()), // SETITEMS
    0x29: () => tuple([]), // EMPTY_TUPLE
    0x85: () => tuple([pop()]), // TUPLE1
    0x86: () => tuple([pop(), pop()].toReversed()), // TUPLE2
    0x87: () => tuple([pop(), pop(), pop()].toReversed()), // TUPLE3
    0x74: () => tuple(popMark()), // TUPLE
    0x71: () => remember(bytes[take(1)], top()), // BINPUT
    0x72: () => remember(view.getUint32(take(4), true), top()), // LONG_BINPUT
    0x68: () => recall(bytes[take(1)]), // BINGET
    0x6a: () => recall(view.getUint32(take(4), true)), // LONG_BINGET
    0x63: () => {
      // GLOBAL
      const name = `${line()}.${line()}`;
      if (!globals.has(name))
        fail(`a global ${quote(name)}, expected only what builds tensors: it is refused, not called`);
      push({ kind: "global", name });
    },
    0x52: () => {
      // REDUCE
      const [values, what] = [pop(), pop()];
      if (!is(what, "global") || !is(values, "tuple")) return fail(`a call of ${describe(what)}, expected a global`);
      push(called(what.name, values.values, fail));
    },
    0x51: () => push(storage(pop(), fail)), // BINPERSID
    0x62: () => {
      // BUILD: an OrderedDict's attributes, such as a state dictionary's _metadata, which holds versions of modules
      const attributes = pop();
      if (!is(attributes, "dictionary") || !is(stack.at(-1), "dictionary")) {
        fail(`attributes given to ${describe(stack.at(-1))}, expected a dictionary's`);
      }
    },
  };

  if (bytes[take(1)] !== 0x80) fail(`${hex(bytes[0])} for a first byte, expected 0x80, which names the protocol`);
  if (bytes[take(1)] !== 2) fail(`protocol ${bytes[1]}, expected 2`);
  for (;;) {
    begin = at;
    const opcode = bytes[take(1)];
    if (opcode === 0x2e) break; // STOP
    const operation = Object.hasOwn(operations, opcode) ? operations[opcode] : undefined;
    if (operation === undefined) fail(`opcode ${opcodeName(opcode)}, expected those of protocol 2 that build tensors`);
    operation();
  }
  if (at < bytes.length) fail(`${counted(bytes.length - at, "byte")} after its end`);
  const result = pop();
  if (stack.length > 0) fail(`${stack.length} values left over`);
  return result;
}

type Fail = (what: string) => never;

/** The result of a call. */
function called(name: string, values: readonly Value[], fail: Fail): Value {
  if (name === orderedDict && values.length === 0) return { kind: "dictionary", entries: new Map() };
  if (name !== rebuildTensor) return fail(`a call of ${name} with ${values.length} arguments`);
  // (storage, storage_offset, size, stride, requires_grad, backward_hooks[, metadata])
  const [held, offset, size, stride] = values;
  if (values.length < 6 || values.length > 7 || !is(held, "storage")) {
    return fail(`a tensor of ${values.length} arguments from ${describe(held)}, expected 6 from a storage`);
  }
  const shape = naturals(size, "a tensor's size", fail);
  const strides = naturals(stride, "a tensor's stride", fail);
  if (shape.length !== strides.length) fail(`a tensor of size [${shape}] with stride [${strides}]`);
  return { kind: "tensor", storage: held, offset: natural(offset, "a tensor's offset", fail), shape, strides };
}

/** ("storage", type, key, location, length). */
function storage(id: Value, fail: Fail): PickledStorage {
  const values = is(id, "tuple") ? id.values : [];
  const [word, type, key, , length] = values;
  if (values.length !== 5 || word !== "storage" || !is(type, "global") || typeof key !== "string") {
    return fail("a persistent id that is not a storage");
  }
  const name = type.name.slice("torch.".length);
  if (!Object.hasOwn(storageTypes, name)) fail(`a storage of type ${type.name}`);
  return { kind: "storage", key, type: name, length: natural(length, "a storage's length", fail) };
}

function naturals(value: Value, what: string, fail: Fail): number[] {
  if (!is(value, "tuple") || value.values.length > mostAxes) {
    return fail(`${describe(value)} as ${what}, expected a tuple of at most ${mostAxes}`);
  }
  return value.values.map((v) => natural(v, what, fail));
}

function natural(value: Value | undefined, what: string, fail: Fail): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  return fail(`${describe(value)} as ${what}, expected an integer from 0 to 2⁵³ − 1`);
}

function is<K extends string>(value: Value | undefined, kind: K): value is Extract<Value, { kind: K }> {
  return typeof value === "object" && value !== null && value.kind === kind;
}

function describe(value: Value | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value === "string") return `the string ${quote(value)}`;
  if (typeof value !== "object") return String(value);
  return value.kind === "global" ? `the global ${value.name}` : `a ${value.kind}`;
}

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;

/** pickletools' names for the opcodes that are refused, where they are known. */
const refused: Record<number, string> = {
  0x81: "NEWOBJ",
  0x82: "EXT1",
  0x83: "EXT2",
  0x84: "EXT4",
  0x92: "NEWOBJ_EX",
  0x93: "STACK_GLOBAL",
  0x8c: "SHORT_BINUNICODE",
  0x8d: "BINUNICODE8",
  0x8e: "BINBYTES8",
  0x94: "MEMOIZE",
  0x95: "FRAME",
  0x42: "BINBYTES",
  0x43: "SHORT_BINBYTES",
  0x69: "INST",
  0x6f: "OBJ",
  0x50: "PERSID",
  0x49: "INT",
  0x53: "STRING",
  0x56: "UNICODE",
  0x54: "BINSTRING",
  0x55: "SHORT_BINSTRING",
  0x5d: "EMPTY_LIST",
  0x61: "APPEND",
  0x65: "APPENDS",
  0x6c: "LIST",
  0x64: "DICT",
};

function opcodeName(opcode: number): string {
  const name = refused[opcode];
  return name === undefined ? hex(opcode) : `${name} (${hex(opcode)})`;
}
