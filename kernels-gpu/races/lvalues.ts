// The places that expressions name: in memory, where invocations meet, or in a variable of one invocation.
import type { DeclIdent, ExpressionElem, GlobalVarElem, Type } from "wesl/core";
import { offsetsOf } from "./layout.ts";
import type { Machine, Memory, Pointer, Value } from "./machine.ts";
import type { WgslText } from "./module.ts";
import { type Compute, elementOf, type InMemory, type Local } from "./places.ts";

/** A function of the text, ready to be called. */
export interface Callee {
  /** Returns what it returns; only where it meets no barrier. */
  readonly call: (args: Value[]) => Value;
}

/** What expressions need to know of what is around them. */
export interface Scope {
  readonly text: WgslText;
  readonly machine: Machine;
  /** The slot of a local variable, constant or parameter. */
  slotOf(decl: DeclIdent): number | undefined;
  /** The slot of a private variable. */
  privateOf(decl: DeclIdent): number;
  memoryOf(decl: DeclIdent, variable: GlobalVarElem): number;
  callee(decl: DeclIdent): Callee;
  constant(decl: DeclIdent, init: ExpressionElem): Value;
  /** Where the value of an expression lies that is made before the statement: a call that meets barriers, or what is to the left of one. */
  madeBefore(expr: ExpressionElem): number | undefined;
}

/** Where a component of a vector lies. */
export const COMPONENTS: Readonly<Record<string, number>> = { x: 0, y: 1, z: 2, w: 3, r: 0, g: 1, b: 2, a: 3 };

export class Lvalues {
  readonly #scope: Scope;
  readonly #compile: (expr: ExpressionElem) => Compute;

  constructor(scope: Scope, compile: (expr: ExpressionElem) => Compute) {
    this.#scope = scope;
    this.#compile = compile;
  }

  /** A place that can be assigned to. */
  place(expr: ExpressionElem): { readonly inMemory: InMemory } | { readonly local: Local } {
    const inMemory = this.memoryOf(expr);
    return inMemory === undefined ? { local: this.local(expr) } : { inMemory };
  }

  /** `&expr`. */
  pointer(expr: ExpressionElem): Compute<Pointer> {
    const place = this.place(expr);
    if ("inMemory" in place) {
      const { memory, word } = place.inMemory;
      return (frame) => ({ memory: memory(frame), word: word(frame) });
    }
    const { holder, key } = place.local;
    return (frame) => ({ holder: holder(frame), key: key(frame) });
  }

  /** What a pointer's argument points to in memory: `&lanes[0]`, or a variable that holds a pointer. */
  pointee(expr: ExpressionElem): InMemory {
    const { text } = this.#scope;
    const found = this.#pointee(expr);
    if (found === undefined) throw text.wrong(expr, "a pointer to something that is not in memory");
    return found;
  }

  #pointee(expr: ExpressionElem): InMemory | undefined {
    if (expr.kind === "parenthesized-expression") return this.#pointee(expr.expression);
    if (expr.kind === "unary-expression" && expr.operator.value === "&") return this.memoryOf(expr.expression);
    const type = this.#scope.text.typeOf(expr);
    if (type.kind !== "ptr" || type.space === "function" || type.space === "private") return undefined;
    const pointer = this.#compile(expr) as Compute<{ memory: Memory; word: number }>;
    return { memory: (frame) => pointer(frame).memory, word: (frame) => pointer(frame).word, type: type.elem };
  }

  /** The place in memory that an expression names; undefined where it names none. */
  memoryOf(expr: ExpressionElem): InMemory | undefined {
    const { text, machine } = this.#scope;
    switch (expr.kind) {
      case "parenthesized-expression":
        return this.memoryOf(expr.expression);
      case "ref": {
        const decl = text.declOf(expr.ident);
        const variable = decl?.declElem;
        if (variable?.kind !== "gvar" || isPrivate(variable)) return undefined;
        const index = this.#scope.memoryOf(decl!, variable);
        return { memory: () => machine.memories[index]!, word: () => 0, type: text.typeOfDecl(decl!) };
      }
      case "unary-expression":
        return expr.operator.value === "*" ? this.#pointee(expr.expression) : undefined;
      case "component-expression": {
        const base = this.#baseOf(expr.base);
        const element = base && elementOf(base.type);
        if (base === undefined || element === undefined) return undefined;
        const index = this.#compile(expr.access) as Compute<number>;
        const { stride } = element;
        return { ...part(base), word: (frame) => base.word(frame) + index(frame) * stride, type: element.type };
      }
      case "component-member-expression": {
        const base = this.#baseOf(expr.base);
        if (base === undefined) return undefined;
        const name = expr.access.name;
        if (base.type.kind === "vector" && name.length === 1) {
          const at = COMPONENTS[name]!;
          return { ...part(base), word: (frame) => base.word(frame) + at, type: base.type.elem };
        }
        if (base.type.kind !== "struct") return undefined;
        const member = base.type.members.findIndex((one) => one.name === name);
        const at = offsetsOf(base.type.members.map(({ type }) => type))[member]!;
        return { ...part(base), word: (frame) => base.word(frame) + at, type: base.type.members[member]!.type };
      }
      default:
        return undefined;
    }
  }

  /** What is indexed: a place, or what a pointer points to. */
  #baseOf(expr: ExpressionElem): InMemory | undefined {
    return this.#scope.text.typeOf(expr).kind === "ptr" ? this.#pointee(expr) : this.memoryOf(expr);
  }

  local(expr: ExpressionElem): Local {
    const { text, machine } = this.#scope;
    const within = (base: ExpressionElem, key: Compute<number>): Local => {
      const outer = text.typeOf(base).kind === "ptr" ? this.#pointedTo(base) : this.local(base);
      return { holder: (frame) => outer.holder(frame)[outer.key(frame)] as Value[], key };
    };
    switch (expr.kind) {
      case "parenthesized-expression":
        return this.local(expr.expression);
      case "ref": {
        const decl = text.declOf(expr.ident);
        if (decl?.declElem?.kind === "gvar") {
          const slot = this.#scope.privateOf(decl);
          return { holder: () => machine.privates, key: () => slot };
        }
        const slot = decl && this.#scope.slotOf(decl);
        if (slot === undefined) throw text.wrong(expr, `an assignment to ${expr.ident.originalName}`);
        return { holder: (frame) => frame, key: () => slot };
      }
      case "unary-expression":
        return this.#pointedTo(expr.expression);
      case "component-expression":
        return within(expr.base, this.#compile(expr.access) as Compute<number>);
      case "component-member-expression": {
        const at = memberIndex(pointedType(text.typeOf(expr.base)), expr.access.name);
        return within(expr.base, () => at);
      }
      default:
        throw text.wrong(expr, "an assignment to this");
    }
  }

  /** What a pointer points to in a variable of one invocation. */
  #pointedTo(expr: ExpressionElem): Local {
    const pointer = this.#compile(expr) as Compute<{ holder: Value[]; key: number }>;
    return { holder: (frame) => pointer(frame).holder, key: (frame) => pointer(frame).key };
  }

  /** The value that is indexed, or that a member is of: `v`, or `p` that points to it. */
  whole(expr: ExpressionElem): Compute {
    if (this.#scope.text.typeOf(expr).kind !== "ptr") return this.#compile(expr);
    const { holder, key } = this.#pointedTo(expr);
    return (frame) => holder(frame)[key(frame)]!;
  }
}

/** `p.x` and `p[i]` are `(*p).x` and `(*p)[i]` (WGSL 8.5). */
export function pointedType(type: Type): Type {
  return type.kind === "ptr" ? type.elem : type;
}

/** Where a member of a struct, or a component of a vector, lies among its parts. */
export function memberIndex(type: Type, member: string): number {
  return type.kind === "struct" ? type.members.findIndex(({ name }) => name === member) : COMPONENTS[member]!;
}

export function isPrivate(variable: GlobalVarElem): boolean {
  return variable.template?.[0]?.name === "private";
}

/** A component carries its vector along; a part of anything else does not. */
function part(base: InMemory): Pick<InMemory, "memory" | "vector"> {
  const { memory, word, type } = base;
  return type.kind === "vector" ? { memory, vector: { word, words: type.size } } : { memory };
}
