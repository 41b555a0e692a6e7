// Calls that meet barriers are made before the statement that contains them, and so is what is evaluated before them; the results are kept: a barrier
// lies between statements then.
import type { ExpressionElem, FunctionCallExpression } from "wesl/core";
import type { Expressions } from "./expressions.ts";
import { type Barrier, BARRIERS, type CompiledFunction, type Slots, type Waiting, type Waits } from "./functions.ts";
import type { Made } from "./flows.ts";
import type { Machine } from "./machine.ts";
import type { WgslText } from "./module.ts";
import { copied } from "./numbers.ts";
import { loaderOf } from "./places.ts";

/** What the statements of one function need to know. */
export interface Around {
  readonly text: WgslText;
  readonly machine: Machine;
  readonly waits: Waits;
  readonly slots: Slots;
  readonly expressions: Expressions;
  compiled(call: FunctionCallExpression): CompiledFunction | undefined;
}

export class WaitingCalls {
  readonly #around: Around;

  constructor(around: Around) {
    this.#around = around;
  }

  /** An expression, and what is made before it. `first`: what is evaluated before the expression where it meets barriers. */
  made(expr: ExpressionElem, first: readonly ExpressionElem[] = []): Made {
    const before = this.before(expr, first);
    return [before, this.#around.expressions.compile(expr)];
  }

  /** Makes the calls in an expression that meet barriers, in their order, and what is to the left of them; undefined where there are none. */
  before(expr: ExpressionElem, first: readonly ExpressionElem[] = []): Waiting<void> | undefined {
    if (!this.#waits(expr)) return undefined;
    const makes = [...first, ...this.#early(expr, false)].map((one) => this.#make(one));
    return function* (frame) {
      for (const make of makes) yield* make(frame);
    };
  }

  #waits(expr: ExpressionElem): boolean {
    return this.#around.waits.within(expr).length > 0;
  }

  /**
   * What is made before a statement, in order: operands are evaluated from left to right (WGSL 15.1), so what is to the left of a call that
   * meets barriers is read before them. `isLeft`: such a call follows.
   */
  #early(expr: ExpressionElem, isLeft: boolean): ExpressionElem[] {
    if (!this.#waits(expr)) return isLeft && this.#isValue(expr) ? [expr] : [];
    // What is to the right of && and || may not be evaluated at all, so only its calls are.
    if (expr.kind === "binary-expression" && ["&&", "||"].includes(expr.operator.value)) {
      const calls = this.#around.waits.within(expr.right);
      return [...this.#early(expr.left, isLeft || calls.length > 0), ...calls];
    }
    const isCall = expr.kind === "call-expression" && this.#around.waits.ofCall(expr);
    const operands = operandsOf(expr);
    const inner = operands.flatMap((operand, i) => {
      const isFollowed = operands.slice(i + 1).some((later) => this.#waits(later));
      return this.#early(operand, isFollowed || (isLeft && !isCall));
    });
    return isCall ? [...inner, expr] : inner;
  }

  /** Whether its value can be kept: a pointer names a place, whatever is there. */
  #isValue(expr: ExpressionElem): boolean {
    return expr.kind !== "literal" && this.#around.text.typeOf(expr).kind !== "ptr";
  }

  #make(expr: ExpressionElem): Waiting<void> {
    if (expr.kind === "call-expression" && this.#around.waits.ofCall(expr)) return this.#call(expr);
    const value = this.#around.expressions.compile(expr);
    const slot = this.#around.slots.addMade(expr);
    return function* (frame) {
      yield* [];
      frame[slot] = copied(value(frame));
    };
  }

  #call(call: FunctionCallExpression): Waiting<void> {
    const { text, machine, expressions, slots } = this.#around;
    const callee = this.#around.compiled(call);
    if (callee !== undefined) {
      const args = expressions.args(call);
      const slot = slots.addMade(call);
      return function* (frame) {
        frame[slot] = yield* callee.wait(args.map((arg) => arg(frame)));
      };
    }
    const name = call.function.kind === "type" ? call.function.name.originalName : call.function.ident.originalName;
    const line = text.lineOf(call);
    const barrier: Barrier = { line, name, space: BARRIERS[name]! };
    if (name !== "workgroupUniformLoad") {
      return function* () {
        yield barrier;
      };
    }
    const { memory, word, type } = expressions.places.pointee(call.arguments[0]!);
    const load = loaderOf(machine, type)!;
    const slot = slots.addMade(call);
    return function* (frame) {
      yield barrier;
      frame[slot] = load(memory(frame), word(frame), line);
      yield barrier;
    };
  }
}

/** The operands of an expression, from left to right. A variable that is indexed is a place, which is read after its index. */
function operandsOf(expr: ExpressionElem): readonly ExpressionElem[] {
  switch (expr.kind) {
    case "parenthesized-expression":
    case "unary-expression":
      return [expr.expression];
    case "binary-expression":
      return [expr.left, expr.right];
    case "component-expression":
    case "component-member-expression":
      return indicesOf(expr);
    case "call-expression":
      return expr.arguments;
    default:
      return [];
  }
}

/** The indices in a place, from left to right, after the value that it is a part of where that is no variable. */
export function indicesOf(place: ExpressionElem): readonly ExpressionElem[] {
  switch (place.kind) {
    case "component-expression":
      return [...indicesOf(place.base), place.access];
    case "component-member-expression":
      return indicesOf(place.base);
    case "parenthesized-expression":
      return indicesOf(place.expression);
    case "unary-expression":
    case "ref":
      return [];
    default:
      return [place];
  }
}
