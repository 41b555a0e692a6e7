// Binary expressions grouped by WGSL's precedence (8.19). The parser of wesl 0.7.31 takes `a && b + c < d` for `(a && b + c) < d`: after a
// right operand that binds tighter it looks no further. Operands and operators are all there in order, so they are grouped again.
import { type AbstractElem, type BinaryExpression, childElems, type ExpressionElem } from "wesl/core";

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!=", "<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];

type Operator = BinaryExpression["operator"];

/** Groups all binary expressions below an element again, in place. */
export function regroup(elem: AbstractElem): void {
  if (elem.kind === "binary-expression") {
    const operands: ExpressionElem[] = [];
    const operators: Operator[] = [];
    flatten(elem, operands, operators);
    for (const operand of operands) regroup(operand);
    Object.assign(elem, grouped(operands, operators));
  } else for (const child of childElems(elem)) regroup(child);
}

function flatten(expr: ExpressionElem, operands: ExpressionElem[], operators: Operator[]): void {
  if (expr.kind !== "binary-expression") {
    operands.push(expr);
    return;
  }
  flatten(expr.left, operands, operators);
  operators.push(expr.operator);
  flatten(expr.right, operands, operators);
}

/** Cut at the last operator that binds least: all of them group from the left. */
function grouped(operands: readonly ExpressionElem[], operators: readonly Operator[]): ExpressionElem {
  if (operators.length === 0) return operands[0]!;
  const level = LEVELS.find((names) => operators.some(({ value }) => names.includes(value)))!;
  const cut = operators.findLastIndex(({ value }) => level.includes(value));
  const left = grouped(operands.slice(0, cut + 1), operators.slice(0, cut));
  const right = grouped(operands.slice(cut + 1), operators.slice(cut + 1));
  return { kind: "binary-expression", operator: operators[cut]!, left, right, start: left.start, end: right.end };
}
