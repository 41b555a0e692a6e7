// Expressions as functions of a call's local variables.
import type { BinaryExpression, ExpressionElem, FunctionCallExpression, Type } from "wesl/core";
import { atomicCall } from "./atomics.ts";
import { builtin } from "./builtins.ts";
import { construct, literal } from "./construct.ts";
import { strideOf } from "./layout.ts";
import { COMPONENTS, Lvalues, memberIndex, pointedType, type Scope } from "./lvalues.ts";
import type { Value } from "./machine.ts";
import type { WgslText } from "./module.ts";
import { arithmetic, comparisons, componentwise, copied, held, scalarOf } from "./numbers.ts";
import { type Compute, type Frame, loaderOf, zeroOf } from "./places.ts";

export class Expressions {
  /** The places that expressions name. */
  readonly places: Lvalues;
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
    this.places = new Lvalues(scope, (expr) => this.compile(expr));
  }

  compile(expr: ExpressionElem): Compute {
    const { text, machine } = this.#scope;
    const made = this.#scope.madeBefore(expr);
    if (made !== undefined) return (frame) => frame[made]!;
    const place = this.places.memoryOf(expr);
    if (place !== undefined) {
      const load = loaderOf(machine, place.type);
      if (load === undefined) throw text.wrong(expr, "reading an array of unknown length");
      const line = text.lineOf(expr);
      const { memory, word } = place;
      return (frame) => load(memory(frame), word(frame), line);
    }
    switch (expr.kind) {
      case "literal":
        return constantly(literal(expr.value));
      case "parenthesized-expression":
        return this.compile(expr.expression);
      case "ref":
        return this.#variable(expr, expr.ident);
      case "component-expression":
        return this.#element(this.places.whole(expr.base), this.compile(expr.access), text.typeOf(expr));
      case "component-member-expression":
        return this.#member(expr.base, expr.access.name, expr);
      case "unary-expression":
        return this.#unary(expr.operator.value, expr.expression, expr);
      case "binary-expression":
        return this.#binary(expr);
      case "call-expression":
        return this.#call(expr);
      default:
        throw text.wrong(expr, `"${expr.kind}"`);
    }
  }

  #variable(expr: ExpressionElem, ident: Parameters<WgslText["declOf"]>[0]): Compute {
    const { text, machine } = this.#scope;
    const decl = text.declOf(ident);
    const elem = decl?.declElem;
    if (decl === undefined || elem === undefined) throw text.wrong(expr, ident.originalName);
    const slot = this.#scope.slotOf(decl);
    if (slot !== undefined) return (frame) => frame[slot]!;
    if (elem.kind === "gvar") {
      const at = this.#scope.privateOf(decl);
      return () => machine.privates[at]!;
    }
    if (elem.kind === "const" && elem.init !== undefined) return constantly(this.#scope.constant(decl, elem.init));
    throw text.wrong(expr, ident.originalName);
  }

  /** An element of a value; beyond its end, zero. */
  #element(base: Compute, index: Compute, type: Type): Compute {
    const nothing = zeroOf(type) ?? 0;
    return (frame) => (base(frame) as Value[])[index(frame) as number] ?? nothing;
  }

  #member(base: ExpressionElem, name: string, expr: ExpressionElem): Compute {
    const { text } = this.#scope;
    const value = this.places.whole(base);
    const type = pointedType(text.typeOf(base));
    if (type.kind === "struct" || name.length === 1) {
      const at = memberIndex(type, name);
      if (at === undefined || at < 0) throw text.wrong(expr, `the member ${name}`);
      return (frame) => (value(frame) as Value[])[at]!;
    }
    const picked = [...name].map((letter) => COMPONENTS[letter]!);
    return (frame) => {
      const parts = value(frame) as Value[];
      return picked.map((at) => parts[at]!);
    };
  }

  #unary(operator: string, operand: ExpressionElem, expr: ExpressionElem): Compute {
    const { text } = this.#scope;
    if (operator === "&") return this.places.pointer(operand) as Compute;
    if (operator === "*") {
      const { holder, key } = this.places.local(expr);
      return (frame) => holder(frame)[key(frame)]!;
    }
    const value = this.compile(operand);
    const hold = held[scalarOf(text.typeOf(expr)) ?? ""] ?? ((n: number) => n);
    const of = { "-": (n: number) => hold(-n), "~": (n: number) => hold(~n), "!": (is: boolean) => !is }[operator];
    if (of === undefined) throw text.wrong(expr, operator);
    return (frame) => componentwise(of as (n: never) => Value, [value(frame)]);
  }

  #binary(expr: BinaryExpression): Compute {
    const { text } = this.#scope;
    const [left, right] = [this.compile(expr.left), this.compile(expr.right)];
    const operator = expr.operator.value;
    if (operator === "&&") return (frame) => left(frame) && right(frame);
    if (operator === "||") return (frame) => left(frame) || right(frame);
    const types = [text.typeOf(expr.left), text.typeOf(expr.right), text.typeOf(expr)];
    const isScalar = types.every(({ kind }) => kind === "scalar");
    const compare = comparisons[operator];
    if (compare !== undefined) {
      if (isScalar) return (frame) => compare(left(frame), right(frame));
      return (frame) => componentwise(compare as (a: never, b: never) => Value, [left(frame), right(frame)]);
    }
    const of = this.operator(operator, types[2]!, expr);
    if (isScalar) return (frame) => of(left(frame), right(frame));
    if (
      operator === "*" &&
      types.slice(0, 2).filter(({ kind }) => kind === "matrix" || kind === "vector").length === 2
    ) {
      if (types[0]!.kind === "matrix" || types[1]!.kind === "matrix") throw text.wrong(expr, "a product of matrices");
    }
    return (frame) => componentwise(of as (a: never, b: never) => Value, [left(frame), right(frame)]);
  }

  /** An operator on two scalars of a type. */
  operator(operator: string, type: Type, at: { readonly start: number }): (a: Value, b: Value) => Value {
    const scalar = scalarOf(type) ?? "";
    const logic = scalar === "bool" ? LOGIC[operator] : undefined;
    const of = logic ?? (arithmetic(operator, scalar) as ((a: Value, b: Value) => Value) | undefined);
    if (of === undefined) throw this.#scope.text.wrong(at, `${operator} of ${scalar || "this type"}`);
    return of;
  }

  #call(call: FunctionCallExpression): Compute {
    const { text, machine } = this.#scope;
    const ident = call.function.kind === "type" ? call.function.name : call.function.ident;
    const name = ident.originalName;
    const decl = text.declOf(ident);
    if (decl?.declElem?.kind === "fn") {
      const args = this.args(call);
      const callee = this.#scope.callee(decl);
      return (frame) => callee.call(args.map((arg) => arg(frame)));
    }
    if (name === "arrayLength") {
      const { memory, word, type } = this.places.pointee(call.arguments[0]!);
      const stride = type.kind === "array" ? strideOf(type.elem)! : 1;
      return (frame) => Math.floor((memory(frame).words.length - word(frame)) / stride);
    }
    if (name.startsWith("atomic")) {
      const [target, ...operands] = call.arguments;
      const place = this.places.pointee(target!);
      const values = operands.map((operand) => this.compile(operand) as Compute<number>);
      const atomic = atomicCall(name, scalarOf(place.type) ?? "u32");
      if (atomic === undefined) throw text.wrong(call, name);
      return (frame) => {
        machine.step();
        machine.usesAtomics = true;
        return atomic(
          place.memory(frame),
          place.word(frame),
          values.map((value) => value(frame)),
        );
      };
    }
    return this.#builtin(call, name);
  }

  args(call: FunctionCallExpression): Compute[] {
    return call.arguments.map((arg) => {
      const value = this.compile(arg);
      return (frame: Frame) => copied(value(frame));
    });
  }

  #builtin(call: FunctionCallExpression, name: string): Compute {
    const { text } = this.#scope;
    const args = this.args(call);
    const types = call.arguments.map((arg) => text.typeOf(arg));
    const type = text.typeOf(call);
    const of = builtin(name, type, types) ?? construct(type, types);
    if (of === undefined) throw text.wrong(call, `${name}()`);
    return (frame) => of(args.map((arg) => arg(frame)));
  }
}

const LOGIC: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  "&": (a, b) => Boolean(a) && Boolean(b),
  "|": (a, b) => Boolean(a) || Boolean(b),
};

function constantly(value: Value): Compute {
  return () => value;
}
