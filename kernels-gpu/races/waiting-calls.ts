// Calls that meet barriers are made before the statement that contains them, and their results kept: a barrier lies between statements then.
import type { ExpressionElem, FunctionCallExpression } from "wesl/core";
import type { Expressions } from "./expressions.ts";
import { type Barrier, BARRIERS, type CompiledFunction, type Slots, type Waiting, type Waits } from "./functions.ts";
import type { Made } from "./flows.ts";
import type { Machine } from "./machine.ts";
import type { WgslText } from "./module.ts";
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

  /** An expression, and the calls in it that meet barriers, which are made before it. */
  made(expr: ExpressionElem): Made {
    const before = this.before(this.#around.waits.within(expr));
    return [before, this.#around.expressions.compile(expr)];
  }

  /** Makes calls in their order; undefined for none. */
  before(calls: readonly FunctionCallExpression[]): Waiting<void> | undefined {
    const makes = calls.map((call) => this.#make(call));
    if (makes.length === 0) return undefined;
    return function* (frame) {
      for (const make of makes) yield* make(frame);
    };
  }

  #make(call: FunctionCallExpression): Waiting<void> {
    const { text, machine, expressions, slots } = this.#around;
    const callee = this.#around.compiled(call);
    if (callee !== undefined) {
      const args = expressions.args(call);
      const slot = slots.addCall(call);
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
    const slot = slots.addCall(call);
    return function* (frame) {
      yield barrier;
      frame[slot] = load(memory(frame), word(frame), line);
      yield barrier;
    };
  }
}
