// Statements as functions of a call's local variables.
import type {
  AssignElem,
  BlockElem,
  ExpressionElem,
  ForElem,
  IfElem,
  LoopElem,
  Statement as Elem,
  SwitchElem,
  Type,
  WhileElem,
} from "wesl/core";
import { after, repeat, RESULT, sequence } from "./flows.ts";
import { type Flow, plainly, type Statement } from "./functions.ts";
import type { Value } from "./machine.ts";
import { componentwise, copied } from "./numbers.ts";
import { type Compute, type Frame, loaderOf, storerOf, zeroOf } from "./places.ts";
import { type Around, indicesOf, WaitingCalls } from "./waiting-calls.ts";

export class Statements {
  readonly #around: Around;
  readonly #calls: WaitingCalls;

  constructor(around: Around) {
    this.#around = around;
    this.#calls = new WaitingCalls(around);
  }

  block({ body }: BlockElem): Statement {
    const all = body.map((elem) => this.#statement(elem));
    const plains = all.map(({ plain }) => plain);
    if (plains.every((plain) => plain !== undefined)) {
      return plainly((frame) => {
        for (const plain of plains) {
          const flow = plain(frame);
          if (flow !== "next") return flow;
        }
        return "next";
      });
    }
    return {
      *waiting(frame) {
        for (const { plain, waiting } of all) {
          const flow = plain === undefined ? yield* waiting(frame) : plain(frame);
          if (flow !== "next") return flow;
        }
        return "next";
      },
    };
  }

  #statement(elem: Elem): Statement {
    const { text, slots, expressions } = this.#around;
    switch (elem.kind) {
      case "block":
        return this.block(elem);
      case "empty":
      case "assert":
      case "continuing": // compiled with its loop
        return plainly(() => "next");
      case "let":
      case "const":
      case "var": {
        const { ident } = elem.name.decl;
        const type = text.typeOfDecl(ident);
        const [before, value] = elem.init === undefined ? [undefined, zero(type)] : this.#calls.made(elem.init);
        if (value === undefined) throw text.wrong(elem, "a variable of this type");
        const slot = slots.add(ident);
        return after(before, (frame) => {
          frame[slot] = copied(value(frame));
          return "next";
        });
      }
      case "assign":
        return this.#assignment(elem);
      case "increment":
      case "decrement":
        return plainly(this.#update(elem.target, elem.kind === "increment" ? "+" : "-", () => 1));
      case "call": {
        const before = this.#calls.before(elem.call);
        if (this.#around.waits.ofCall(elem.call)) return after(before, () => "next");
        const value = expressions.compile(elem.call);
        return after(before, (frame) => {
          value(frame);
          return "next";
        });
      }
      case "if":
        return this.#if(elem);
      case "for":
        return this.#for(elem);
      case "while":
        return this.#while(elem);
      case "loop":
        return this.#loop(elem);
      case "switch":
        return this.#switch(elem);
      case "return": {
        const [before, value] = elem.value === undefined ? [undefined, () => 0] : this.#calls.made(elem.value);
        return after(before, (frame) => {
          frame[RESULT] = copied(value(frame));
          return "return";
        });
      }
      case "break":
        return elem.condition === undefined ? plainly(() => "break") : this.#breakIf(elem.condition);
      case "continue":
        return plainly(() => "continue");
      default:
        throw text.wrong(elem, `"${elem.kind}"`);
    }
  }

  #assignment({ lhs, op, rhs }: AssignElem): Statement {
    const isUpdate = op.value !== "=";
    const [before, value] = this.#calls.made(
      rhs,
      lhs.kind === "phony" ? [] : [...indicesOf(lhs), ...(isUpdate ? [lhs] : [])],
    );
    if (lhs.kind === "phony") {
      return after(before, (frame) => {
        value(frame);
        return "next";
      });
    }
    if (!isUpdate) return after(before, this.#store(lhs, value));
    return after(before, this.#update(lhs, op.value.slice(0, -1), value));
  }

  #store(target: ExpressionElem, value: Compute): (frame: Frame) => Flow {
    const { text, machine, expressions } = this.#around;
    const place = expressions.places.place(target);
    if ("local" in place) {
      const { holder, key } = place.local;
      return (frame) => {
        const into = holder(frame);
        into[key(frame)] = copied(value(frame));
        return "next";
      };
    }
    const { memory, word, type, vector } = place.inMemory;
    const store = storerOf(machine, type);
    if (store === undefined) throw text.wrong(target, "writing an array of unknown length");
    const line = text.lineOf(target);
    return (frame) => {
      const into = memory(frame);
      const at = word(frame);
      const stored = value(frame);
      if (vector !== undefined) {
        const first = vector.word(frame);
        for (let i = 0; i < vector.words; i++) machine.touch(into, first + i, line, true);
      }
      store(into, at, line, stored);
      return "next";
    };
  }

  /** `target = target operator value`; the target is read first (WGSL 9.2.3), before the barriers that the value meets. */
  #update(target: ExpressionElem, operator: string, value: Compute): (frame: Frame) => Flow {
    const { text, machine, expressions, slots } = this.#around;
    const type = text.typeOf(target);
    const of = expressions.operator(operator, type, target);
    const result = (old: Value, by: Value): Value => componentwise(of as (a: never, b: never) => Value, [old, by]);
    const place = expressions.places.place(target);
    if (slots.ofMade(target) !== undefined) {
      const old = expressions.compile(target);
      return this.#store(target, (frame) => result(old(frame), value(frame)));
    }
    if ("local" in place) {
      const { holder, key } = place.local;
      return (frame) => {
        const into = holder(frame);
        const at = key(frame);
        into[at] = result(into[at]!, value(frame));
        return "next";
      };
    }
    const { inMemory } = place;
    const load = loaderOf(machine, inMemory.type)!;
    const line = text.lineOf(target);
    return this.#store(target, (frame) => {
      const old = load(inMemory.memory(frame), inMemory.word(frame), line);
      return result(old, value(frame));
    });
  }

  #if({ condition, body, else: otherwise }: IfElem): Statement {
    const [before, when] = this.#calls.made(condition);
    const then = this.block(body);
    const not = otherwise === undefined ? plainly(() => "next") : this.#statement(otherwise);
    const [yes, no] = [then.plain, not.plain];
    if (yes !== undefined && no !== undefined) return after(before, (frame) => (when(frame) ? yes(frame) : no(frame)));
    return {
      *waiting(frame) {
        yield* before?.(frame) ?? [];
        return yield* (when(frame) ? then : not).waiting(frame);
      },
    };
  }

  #for({ init, condition, update, body }: ForElem): Statement {
    const first = init === undefined ? plainly(() => "next") : this.#statement(init);
    const again = condition === undefined ? undefined : this.#calls.made(condition);
    const inner = this.block(body);
    const last = update === undefined ? plainly(() => "next") : this.#statement(update);
    const loop = repeat(this.#around.machine, again, inner, last);
    return sequence(first, loop);
  }

  #while({ condition, body }: WhileElem): Statement {
    return repeat(
      this.#around.machine,
      this.#calls.made(condition),
      this.block(body),
      plainly(() => "next"),
    );
  }

  #loop({ body, continuing: own }: LoopElem): Statement {
    const inner = this.block(body);
    const continuing = own ?? body.body.find((elem) => elem.kind === "continuing");
    if (continuing === undefined)
      return repeat(
        this.#around.machine,
        undefined,
        inner,
        plainly(() => "next"),
      );
    return repeat(this.#around.machine, undefined, inner, this.block(continuing.body));
  }

  #breakIf(condition: ExpressionElem): Statement {
    const [before, leave] = this.#calls.made(condition);
    return after(before, (frame) => (leave(frame) ? "break" : "next"));
  }

  #switch({ selector, clauses }: SwitchElem): Statement {
    const [before, value] = this.#calls.made(selector);
    const { expressions } = this.#around;
    const bodies = clauses.map(({ body }) => this.block(body));
    const cases = clauses.map(({ selectors }) =>
      selectors.map((one) => (one === "default" ? undefined : expressions.compile(one))),
    );
    const otherwise = cases.findIndex((values) => values.includes(undefined));
    const chosen = (frame: Frame): Statement => {
      const is = value(frame);
      const found = cases.findIndex((values) => values.some((one) => one !== undefined && one(frame) === is));
      return bodies[found === -1 ? otherwise : found]!;
    };
    const left = (flow: Flow): Flow => (flow === "break" ? "next" : flow);
    if (bodies.every(({ plain }) => plain !== undefined))
      return after(before, (frame) => left(chosen(frame).plain!(frame)));
    return {
      *waiting(frame) {
        yield* before?.(frame) ?? [];
        return left(yield* chosen(frame).waiting(frame));
      },
    };
  }
}

function zero(type: Type): Compute | undefined {
  const value = zeroOf(type);
  return value === undefined ? undefined : () => value;
}
