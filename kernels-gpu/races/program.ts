// An entry point of a text, ready to be run by the invocations of a workgroup.
import type {
  AttributeElem,
  DeclIdent,
  ExpressionElem,
  FnElem,
  FunctionCallExpression,
  GlobalVarElem,
} from "wesl/core";
import { Expressions } from "./expressions.ts";
import { type Callee, isPrivate, type Scope } from "./lvalues.ts";
import { type Barrier, type CompiledFunction, Slots, type Statement, Waits } from "./functions.ts";
import { strideOf, wordsOf } from "./layout.ts";
import { type Machine, Memory, type Value } from "./machine.ts";
import { WgslText } from "./module.ts";
import { copied } from "./numbers.ts";
import { zeroOf } from "./places.ts";
import { RESULT } from "./flows.ts";
import { Statements } from "./statements.ts";

/** The values of the builtins of one invocation, by name. */
export type Builtins = Readonly<Record<string, Value>>;

export class Program {
  readonly workgroupSize: readonly [number, number, number];
  /** Whether the entry point meets barriers. */
  readonly waits: boolean;
  readonly #machine: Machine;
  readonly #text: WgslText;
  readonly #waits: Waits;
  readonly #entry: FnElem;
  readonly #bound: ReadonlyMap<string, Uint32Array>;
  readonly #functions = new Map<FnElem, CompiledFunction>();
  readonly #memories = new Map<DeclIdent, number>();
  readonly #privates = new Map<DeclIdent, number>();
  readonly #initial: Value[] = [];
  readonly #constants = new Map<DeclIdent, Value>();
  readonly #run: CompiledFunction;

  /** `bound`: the words of each binding, by its name. Throws NotInterpreted. */
  constructor(
    machine: Machine,
    { text, entry, constants }: { text: string; entry: string; constants: Readonly<Record<string, number>> },
    bound: ReadonlyMap<string, Uint32Array>,
  ) {
    this.#machine = machine;
    this.#text = new WgslText(text, constants);
    this.#waits = new Waits(this.#text);
    this.#bound = bound;
    const found = this.#text.functionOf(entry);
    if (found === undefined) throw new RangeError(`no entry point ${entry}`);
    this.#entry = found;
    this.waits = this.#waits.ofFunction(found);
    this.workgroupSize = this.#sizeOf(found);
    this.#run = this.#compiled(found);
  }

  /** The private variables of an invocation that begins. */
  privates(): Value[] {
    return this.#initial.map(copied);
  }

  /** Runs one invocation, from barrier to barrier. */
  invocation(builtins: Builtins): Generator<Barrier, Value> {
    return this.#run.wait(this.#arguments(builtins));
  }

  /** Runs one invocation of an entry point that meets none. */
  runWhole(builtins: Builtins): void {
    this.#run.call(this.#arguments(builtins));
  }

  /** Zeroes the workgroup's memory (WGSL 14.4: it starts so). */
  clear(): void {
    for (const memory of this.#machine.memories) if (memory.space === "workgroup") memory.words.fill(0);
  }

  #arguments(builtins: Builtins): Value[] {
    return this.#entry.params.map((param) => {
      const name = builtinOf(param.attributes);
      if (name !== undefined) return this.#builtin(builtins, name, param);
      const type = this.#text.typeOfDecl(param.name.decl.ident);
      const members = type.kind === "struct" ? (type.structElem?.members ?? []) : [];
      return members.map((member) => this.#builtin(builtins, builtinOf(member.attributes) ?? "?", param));
    });
  }

  #builtin(builtins: Builtins, name: string, at: { readonly start: number }): Value {
    const value = builtins[name];
    if (value === undefined) throw this.#text.wrong(at, `@builtin(${name})`);
    return value;
  }

  #sizeOf(fn: FnElem): [number, number, number] {
    for (const { attribute } of fn.attributes ?? []) {
      if (attribute.kind !== "@attribute" || attribute.name !== "workgroup_size") continue;
      const expressions = this.#expressions(new Slots());
      const sizes = (attribute.params ?? []).map(({ expression }) => Number(expressions.compile(expression)([])));
      return [sizes[0] ?? 1, sizes[1] ?? 1, sizes[2] ?? 1];
    }
    throw this.#text.wrong(fn, "an entry point without @workgroup_size");
  }

  #compiled(fn: FnElem): CompiledFunction {
    const known = this.#functions.get(fn);
    if (known !== undefined) return known;
    const slots = new Slots();
    slots.size = RESULT + 1;
    const params = fn.params.map((param) => slots.add(param.name.decl.ident));
    const statements = new Statements({
      text: this.#text,
      machine: this.#machine,
      waits: this.#waits,
      slots,
      expressions: this.#expressions(slots),
      compiled: (call) => this.#waitingCallee(call),
    });
    const body = statements.block(fn.body);
    const compiled = callable(this.#machine, params, slots, body);
    this.#functions.set(fn, compiled);
    return compiled;
  }

  /** The function that a call waits in; undefined for a barrier itself. */
  #waitingCallee(call: FunctionCallExpression): CompiledFunction | undefined {
    const ident = call.function.kind === "type" ? call.function.name : call.function.ident;
    const elem = this.#text.declOf(ident)?.declElem;
    return elem?.kind === "fn" ? this.#compiled(elem) : undefined;
  }

  #expressions(slots: Slots): Expressions {
    const scope: Scope = {
      text: this.#text,
      machine: this.#machine,
      slotOf: (decl) => slots.of(decl),
      privateOf: (decl) => this.#privateOf(decl),
      memoryOf: (decl, variable) => this.#memoryOf(decl, variable),
      callee: (decl): Callee => this.#compiled(decl.declElem as FnElem),
      constant: (decl, init) => this.#constant(decl, init),
      madeBefore: (expr) => slots.ofMade(expr),
    };
    return new Expressions(scope);
  }

  #constant(decl: DeclIdent, init: ExpressionElem): Value {
    let value = this.#constants.get(decl);
    if (value === undefined) {
      value = this.#expressions(new Slots()).compile(init)([]);
      this.#constants.set(decl, value);
    }
    return value;
  }

  #privateOf(decl: DeclIdent): number {
    let slot = this.#privates.get(decl);
    if (slot !== undefined) return slot;
    const elem = decl.declElem as GlobalVarElem;
    const value = elem.init === undefined ? zeroOf(this.#text.typeOfDecl(decl)) : this.#constant(decl, elem.init);
    if (value === undefined) throw this.#text.wrong(elem, "a private variable of this type");
    slot = this.#initial.push(value) - 1;
    this.#privates.set(decl, slot);
    return slot;
  }

  /** Memory is made when a function that is reached names it. */
  #memoryOf(decl: DeclIdent, variable: GlobalVarElem): number {
    let index = this.#memories.get(decl);
    if (index !== undefined) return index;
    const name = decl.originalName;
    const [space = "?", access] = (variable.template ?? []).map((word) => word.name);
    const words =
      space === "workgroup" ? new Uint32Array(wordsOf(this.#text.typeOfDecl(decl)) ?? 0) : this.#bound.get(name);
    if (isPrivate(variable) || words === undefined) throw this.#text.wrong(variable, `var<${space}> ${name}`);
    const isWritten = space === "workgroup" || access === "read_write";
    const type = this.#text.typeOfDecl(decl);
    const stride = type.kind === "array" ? (strideOf(type.elem) ?? 0) : 0;
    index = this.#machine.memories.push(new Memory(name, space as Memory["space"], words, stride, isWritten)) - 1;
    this.#memories.set(decl, index);
    return index;
  }
}

function callable(
  machine: Machine,
  params: readonly number[],
  slots: Slots,
  { plain, waiting }: Statement,
): CompiledFunction {
  const frameOf = (args: readonly Value[]): Value[] => {
    machine.step();
    const frame: Value[] = Array.from({ length: slots.size }, () => 0);
    for (const [i, slot] of params.entries()) frame[slot] = args[i]!;
    return frame;
  };
  return {
    call: (args) => {
      const frame = frameOf(args);
      plain!(frame);
      return frame[RESULT]!;
    },
    *wait(args) {
      const frame = frameOf(args);
      yield* waiting(frame);
      return frame[RESULT]!;
    },
  };
}

function builtinOf(attributes: readonly AttributeElem[] | undefined): string | undefined {
  for (const { attribute } of attributes ?? []) if (attribute.kind === "@builtin") return attribute.param.name;
  return undefined;
}
