// Mutation operators on TypeScript: each gives the replacements of one node of a file's syntax tree. Types, imports, the texts of errors and
// what a row says in words are left alone.
import { parseAst } from "vitest/node";
import type { Edit } from "../operators.ts";

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const SWAPS: Readonly<Record<string, readonly (readonly [operator: string, others: readonly string[]])[]>> = {
  "+": [["arithmetic", ["-", "*"]]],
  "-": [["arithmetic", ["+"]]],
  "*": [["arithmetic", ["+", "/"]]],
  "/": [["arithmetic", ["*"]]],
  "%": [["arithmetic", ["/"]]],
  "<": [["comparison", ["<=", ">="]]],
  "<=": [["comparison", ["<", ">"]]],
  ">": [["comparison", [">=", "<="]]],
  ">=": [["comparison", [">", "<"]]],
  "===": [["comparison", ["!=="]]],
  "!==": [["comparison", ["==="]]],
  "&&": [["logic", ["||"]]],
  "||": [["logic", ["&&"]]],
  "&": [["bits", ["|"]]],
  "|": [["bits", ["&"]]],
  "<<": [["bits", [">>"]]],
  ">>": [["bits", ["<<"]]],
};

const ASSIGNS: Readonly<Record<string, readonly string[]>> = {
  "+=": ["-=", "="],
  "-=": ["+=", "="],
  "*=": ["/=", "="],
  "/=": ["*=", "="],
};

/** Functions and methods by the name that is called, with those that take their place. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  min: ["max"],
  max: ["min"],
  floor: ["ceil"],
  ceil: ["floor"],
  sin: ["cos"],
  cos: ["sin"],
  add: ["subtract"],
  subtract: ["add"],
  sqrt: ["inverseSqrt"],
  inverseSqrt: ["sqrt"],
};

/** What takes a value and gives one like it: the value itself takes the call's place. */
const WRAPPERS = new Set(["abs", "negate", "store", "spreadOf", "growth", "fround", "sqrt"]);
/** Sums, products and choices of several arguments, of which any may be left out. */
const LISTS = new Set(["either", "product", "max", "min"]);
/** Nodes in which nothing is changed. */
const LEFT_ALONE = /^(TS(?!NonNull|As|Satisfies)|Import|ThrowStatement|TemplateLiteral|Export(Named|All)Declaration$)/;

/** Every edit of every operator at every place of a file. */
export function editsOf(source: string): Edit[] {
  const edits: Edit[] = [];
  const said = (node: Node): string => source.slice(node.start, node.end);
  const add = (operator: string, span: Pick<Node, "start" | "end">, ...to: string[]): void => {
    for (const one of to) edits.push({ operator, start: span.start, end: span.end, to: one });
  };
  walk(parseAst(source, { lang: "ts" }) as unknown as Node, undefined);
  return edits;

  function walk(node: Node, parent: Node | undefined): void {
    const isLeft = LEFT_ALONE.test(node.type) && !(node.type === "ExportNamedDeclaration" && node.declaration !== null);
    if (isLeft) return;
    change(node, parent);
    for (const [field, value] of Object.entries(node)) {
      if (/^(typeAnnotation|returnType|typeArguments|typeParameters)$/.test(field)) continue;
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof child === "object" && child !== null && "type" in child) walk(child as Node, node);
      }
    }
  }

  function change(node: Node, parent: Node | undefined): void {
    const of = (field: string): Node => node[field] as Node;
    switch (node.type) {
      case "BinaryExpression":
      case "LogicalExpression":
        return binary(node);
      case "UnaryExpression":
        if (node.operator === "-" || node.operator === "!") add("sign", node, said(of("argument")));
        return;
      case "Literal":
        return constant(node, parent);
      case "AssignmentExpression":
        return assignment(node);
      case "ConditionalExpression":
        return add("condition", node, `(${said(of("consequent"))})`, `(${said(of("alternate"))})`);
      case "IfStatement":
        return add("condition", of("test"), "true", "false");
      case "WhileStatement":
        return add("condition", of("test"), "false");
      case "ForStatement":
        return loop(node);
      case "ContinueStatement":
      case "BreakStatement":
        if (parent?.type !== "SwitchCase") add("statement dropped", node, ";");
        return;
      case "ExpressionStatement":
        if (of("expression").type !== "Literal") add("statement dropped", node, ";");
        return;
      case "VariableDeclaration":
        return initialisers(node, parent);
      case "CallExpression":
        return call(node);
      case "MemberExpression":
        return member(node);
      default:
    }
  }

  function binary(node: Node): void {
    const [left, right, operator] = [node.left as Node, node.right as Node, node.operator as string];
    const from = source.indexOf(operator, left.end);
    const span = { start: from, end: from + operator.length };
    if (operator === "??") return add("term dropped", node, `(${said(right)})`);
    for (const [name, others] of SWAPS[operator] ?? []) add(name, span, ...others);
    if (operator === "+" || operator === "*") add(`${named(operator)} dropped`, node, said(left), said(right));
    if (operator === "-" || operator === "/") add(`${named(operator)} dropped`, node, said(left));
  }

  function named(operator: string): string {
    return operator === "+" || operator === "-" ? "term" : "factor";
  }

  function constant(node: Node, parent: Node | undefined): void {
    const { value } = node;
    if (typeof value === "boolean") return add("constant", node, String(!value));
    if (typeof value !== "number") return;
    if (parent?.type === "MemberExpression" && parent.property === node) return add("index", node, String(value + 1));
    if (!Number.isInteger(value)) return add("constant", node, `(2 * ${said(node)})`, `(${said(node)} + 1)`);
    add("constant", node, String(value + 1), ...(value > 0 ? [String(value - 1)] : []));
    if (value > 1) add("constant", node, String(2 * value));
  }

  function assignment(node: Node): void {
    const [left, right, operator] = [node.left as Node, node.right as Node, node.operator as string];
    const from = source.indexOf(operator, left.end);
    add("assignment", { start: from, end: from + operator.length }, ...(ASSIGNS[operator] ?? []));
    if (operator === "=" && !/^(Literal|Identifier|Arrow|New)/.test(right.type))
      add("sign", right, `-(${said(right)})`);
  }

  function loop(node: Node): void {
    const [test, update] = [node.test as Node | null, node.update as Node | null];
    if (test !== null) {
      add("condition", test, "false");
      const bound = test.right as Node | undefined;
      if (test.type === "BinaryExpression" && bound !== undefined)
        add("bound", bound, `${said(bound)} - 1`, `${said(bound)} + 1`);
    }
    if (update?.type === "UpdateExpression") add("step", update, `${said(update.argument as Node)} += 2`);
    else if (update?.type === "AssignmentExpression")
      add("step", update.right as Node, `2 * (${said(update.right as Node)})`);
  }

  function initialisers(node: Node, parent: Node | undefined): void {
    if (node.kind !== "let" || parent?.type === "ForStatement") return;
    for (const { init, id } of node.declarations as { init: Node | null; id: Node }[]) {
      if (init === null || init.type === "Literal" || id.type !== "Identifier") continue;
      if (/^(Binary|Member|Identifier|Unary)/.test(init.type)) add("initialiser", init, `(${said(init)}) + 1`);
    }
  }

  function call(node: Node): void {
    const callee = node.callee as Node;
    const given = node.arguments as Node[];
    const last = callee.type === "MemberExpression" ? (callee.property as Node) : callee;
    const name = last.type === "Identifier" ? (last.name as string) : "";
    add("function", last, ...(CALLS[name] ?? []));
    if (name === "multiply" || name === "divide") add("function", last, name === "multiply" ? "divide" : "multiply");
    const plain = given.every(({ type }) => type !== "SpreadElement");
    if (WRAPPERS.has(name) && plain && given.length > 0) add("function dropped", node, said(given.at(-1)!));
    if ((name === "filter" || name === "fill") && callee.type === "MemberExpression") {
      add("function dropped", node, said(callee.object as Node));
    }
    if (LISTS.has(name) && given.length > 1) {
      for (const one of given) {
        const rest = given.filter((other) => other !== one).map(said);
        const what = name === "product" ? "factor dropped" : name === "either" ? "form dropped" : "term dropped";
        add(what, { start: given[0]!.start, end: given.at(-1)!.end }, rest.join(", "));
      }
    }
    for (const operand of ["multiply", "divide", "add", "subtract"].includes(name) && given.length === 2 ? given : []) {
      add(`${/add|subtract/.test(name) ? "term" : "factor"} dropped`, node, said(operand));
    }
  }

  /** Two names of an index change places; a value stands for its error, and the other way round. */
  function member(node: Node): void {
    const property = node.property as Node;
    if (node.computed !== true) {
      if (property.name === "error") add("member", property, "value");
      if (property.name === "value") add("member", property, "error");
      return;
    }
    const refs = identifiersIn(property);
    const names = [...new Set(refs.map(({ name }) => name as string))];
    for (const ref of refs) for (const name of names) if (name !== ref.name) add("index letter", ref, name);
  }
}

function identifiersIn(node: Node): Node[] {
  if (node.type === "Identifier") return [node];
  if (node.type === "BinaryExpression") return [node.left, node.right].flatMap((side) => identifiersIn(side as Node));
  return [];
}
