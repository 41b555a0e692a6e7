// A function of the text with its statements as functions of its local variables; those that meet barriers are generators, which
// stop at each.
import {
  childElems,
  type AbstractElem,
  type DeclIdent,
  type ExpressionElem,
  type FnElem,
  type FunctionCallExpression,
} from "wesl/core";
import type { Value } from "./machine.ts";
import type { WgslText } from "./module.ts";
import type { Frame } from "./places.ts";

/** A barrier in the text: where invocations wait for one another, and whose accesses it orders. */
export interface Barrier {
  readonly line: number;
  readonly name: string;
  readonly space: "workgroup" | "storage" | "uniform";
}

export const BARRIERS: Readonly<Record<string, Barrier["space"]>> = {
  workgroupBarrier: "workgroup",
  workgroupUniformLoad: "workgroup",
  storageBarrier: "storage",
  textureBarrier: "uniform",
};

/** How a statement ends. */
export type Flow = "next" | "break" | "continue" | "return";

/** A statement that waits at barriers. */
export type Waiting<T> = (frame: Frame) => Generator<Barrier, T>;

export interface Statement {
  /** Absent where it meets a barrier. */
  readonly plain?: (frame: Frame) => Flow;
  readonly waiting: Waiting<Flow>;
}

/** A statement that meets no barrier. */
export function plainly(plain: (frame: Frame) => Flow): Statement {
  return {
    plain,
    *waiting(frame) {
      yield* [];
      return plain(frame);
    },
  };
}

/** Which functions of a text meet barriers. */
export class Waits {
  readonly #text: WgslText;
  readonly #known = new Map<FnElem, boolean>();

  constructor(text: WgslText) {
    this.#text = text;
  }

  ofFunction(fn: FnElem): boolean {
    let waits = this.#known.get(fn);
    if (waits === undefined) {
      this.#known.set(fn, false); // WGSL has no recursion
      waits = this.within(fn.body).length > 0;
      this.#known.set(fn, waits);
    }
    return waits;
  }

  /** The calls in an element that meet barriers, inner ones first. */
  within(elem: AbstractElem): FunctionCallExpression[] {
    const inner = childElems(elem).flatMap((child) => this.within(child));
    return elem.kind === "call-expression" && this.ofCall(elem) ? [...inner, elem] : inner;
  }

  ofCall(call: FunctionCallExpression): boolean {
    const ident = call.function.kind === "type" ? call.function.name : call.function.ident;
    const decl = this.#text.declOf(ident);
    if (decl === undefined) return Object.hasOwn(BARRIERS, ident.originalName);
    return decl.declElem?.kind === "fn" && this.ofFunction(decl.declElem);
  }
}

/** The slots of a function's local variables. */
export class Slots {
  size = 0;
  readonly #byDecl = new Map<DeclIdent, number>();
  readonly #byExpression = new Map<ExpressionElem, number>();

  of(decl: DeclIdent): number | undefined {
    return this.#byDecl.get(decl);
  }

  add(decl: DeclIdent): number {
    this.#byDecl.set(decl, this.size);
    return this.size++;
  }

  /** Of an expression whose value is made before the statement that contains it. */
  ofMade(expr: ExpressionElem): number | undefined {
    return this.#byExpression.get(expr);
  }

  addMade(expr: ExpressionElem): number {
    this.#byExpression.set(expr, this.size);
    return this.size++;
  }
}

/** A function, ready to be called. */
export interface CompiledFunction {
  readonly call: (args: Value[]) => Value;
  readonly wait: (args: Value[]) => Generator<Barrier, Value>;
}
