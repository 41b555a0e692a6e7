// Mutation operators on WGSL: each gives the replacements of one element of a kernel's syntax tree. Those called gpu-… are the nine
// of MUTGPU (Zhu and Zaidman, ICST 2020), as far as WGSL has what they change.
import {
  type AbstractElem,
  type AttributeElem,
  type BinaryExpression,
  type ExpressionElem,
  type FunctionCallExpression,
  type Statement,
  visitAst,
} from "wesl/core";
import type { WgslText } from "../../kernels-gpu/races/module.ts";

/** A piece of text in place of another. */
export interface Edit {
  readonly operator: string;
  readonly start: number;
  readonly end: number;
  readonly to: string;
}

type Span = Pick<AbstractElem & { start: number; end: number }, "start" | "end">;

const SWAPS: Readonly<Record<string, readonly (readonly [operator: string, others: readonly string[]])[]>> = {
  "+": [["arithmetic", ["-", "*"]]],
  "-": [["arithmetic", ["+"]]],
  "*": [["arithmetic", ["+", "/"]]],
  "/": [["arithmetic", ["*", "%"]]],
  "%": [["arithmetic", ["/"]]],
  "<": [["comparison", ["<=", ">="]]],
  "<=": [["comparison", ["<", ">"]]],
  ">": [["comparison", [">=", "<="]]],
  ">=": [["comparison", [">", "<"]]],
  "==": [["comparison", ["!="]]],
  "!=": [["comparison", ["=="]]],
  "&&": [["logic", ["||"]]],
  "||": [["logic", ["&&"]]],
  "&": [["bits", ["|", "^"]]],
  "|": [["bits", ["&"]]],
  "^": [["bits", ["|"]]],
  "<<": [["bits", [">>"]]],
  ">>": [["bits", ["<<"]]],
};

const CALLS: Readonly<Record<string, readonly string[]>> = {
  min: ["max"],
  max: ["min"],
  exp: ["exp2"],
  exp2: ["exp"],
  log: ["log2"],
  log2: ["log"],
  sqrt: ["inverseSqrt"],
  inverseSqrt: ["sqrt"],
  round: ["floor"],
};

const ASSIGNS: Readonly<Record<string, readonly string[]>> = {
  "+=": ["-=", "="],
  "-=": ["+=", "="],
  "*=": ["/=", "="],
  "/=": ["*=", "="],
};

const COMPARED = new Set(["<", "<=", ">", ">="]);
const INDICES = new Set(["local_invocation_index", "local_invocation_id", "workgroup_id", "global_invocation_id"]);

/** Every edit of every operator at every place of a text. */
export function editsOf(text: WgslText, source: string): Edit[] {
  const edits: Edit[] = [];
  const said = (span: Span): string => source.slice(span.start, span.end);
  const add = (operator: string, span: Span, ...to: string[]): void => {
    for (const one of to) edits.push({ operator, start: span.start, end: span.end, to: one });
  };
  const isWhole = (expr: ExpressionElem): boolean => /int|[iu]32/.test(JSON.stringify(text.typeOf(expr)));
  const indices = indexNames(text);
  // The value of an override is the host's to choose: the cases run the kernel itself under others.
  const chosen = text.module.decls.filter((decl) => decl.kind === "override");
  const isChosen = (span: Span): boolean => chosen.some(({ start, end }) => span.start >= start && span.end <= end);
  visitAst(text.module, (elem) => {
    if (elem.kind === "binary-expression") binary(elem);
    else if (elem.kind === "unary-expression" && /[-!]/.test(elem.operator.value))
      add("sign", elem, said(elem.expression));
    else if (elem.kind === "literal" && !isChosen(elem)) constant(elem, elem.value);
    else if (elem.kind === "component-expression") index(elem.access);
    else if (elem.kind === "component-member-expression") member(elem.access, elem.access.name, said(elem.base));
    else if (elem.kind === "ref" && indices.has(elem.ident.originalName)) {
      const name = elem.ident.originalName;
      add("gpu-index-increment", elem, `(${name} + 1)`);
      add("gpu-index-decrement", elem, `(${name} - 1)`);
      for (const other of indices) if (other !== name) add("gpu-index-replacement", elem, other);
    } else if (elem.kind === "call-expression") call(elem);
    else if (elem.kind === "attribute") size(elem);
    else if (elem.kind === "gvar" && elem.template?.[0]?.name === "workgroup") {
      add("gpu-shared-removal", elem.template[0], "private");
    } else statement(elem as Statement);
  });
  return edits;

  function binary(elem: BinaryExpression): void {
    const { left, right, operator } = elem;
    const span = { start: operator.span[0], end: operator.span[1] };
    for (const [name, others] of SWAPS[operator.value] ?? []) add(name, span, ...others);
    if (["+", "*", "-", "/"].includes(operator.value)) {
      const name = /[*/]/.test(operator.value) ? "factor dropped" : "term dropped";
      add(name, elem, said(left), ...(/[*+]/.test(operator.value) ? [said(right)] : []));
    }
    if (COMPARED.has(operator.value) && isWhole(right)) {
      add("bound", right, `${said(right)} + 1`, `${said(right)} - 1`);
    }
  }

  function constant(span: Span, value: string): void {
    if (value === "true" || value === "false") add("constant", span, value === "true" ? "false" : "true");
    else if (/^(\d+|0[xX][\da-fA-F]+)[iu]?$/.test(value)) {
      const suffix = /[iu]$/.exec(value)?.[0] ?? "";
      const n = Number(value.replace(/[iu]$/, ""));
      add("constant", span, `${n + 1}${suffix}`, ...(n > 0 ? [`${n - 1}${suffix}`] : []));
    } else if (Number(value.replace(/f$/, "")) === 0) add("constant", span, `(${value} + 1.0)`);
    else add("constant", span, `(2.0 * ${value})`, `(${value} + 1.0)`, `(-${value})`);
  }

  /** Two names of an index change places; one stands for the other. */
  function index(access: ExpressionElem): void {
    const refs: (Span & { readonly name: string })[] = [];
    visitAst(access, (elem) => {
      if (elem.kind === "ref" && isLocal(elem.ident)) {
        refs.push({ start: elem.start, end: elem.end, name: elem.ident.originalName });
      }
    });
    const names = [...new Set(refs.map(({ name }) => name))];
    for (const ref of refs) for (const name of names) if (name !== ref.name) add("index letter", ref, name);
  }

  function isLocal(ident: Parameters<WgslText["declOf"]>[0]): boolean {
    return ["let", "var", "param"].includes(text.declOf(ident)?.declElem?.kind ?? "");
  }

  function member(span: Span, name: string, base: string): void {
    if (/^[xy]$/.test(name)) add("index letter", span, name === "x" ? "y" : "x");
    if (base !== "dims") return;
    for (const other of fieldsOf(text))
      if (other.name !== name && other.type === typeOfField(name)) add("index letter", span, other.name);
  }

  function typeOfField(name: string): string | undefined {
    return fieldsOf(text).find((field) => field.name === name)?.type;
  }

  function call(elem: FunctionCallExpression): void {
    const callee = elem.function;
    const name = callee.kind === "type" ? callee.name.originalName : callee.ident.originalName;
    add("function", callee, ...(CALLS[name] ?? []));
    if (name === "select") {
      const [no, yes, when] = elem.arguments as [ExpressionElem, ExpressionElem, ExpressionElem];
      add("condition", elem, `select(${said(yes)}, ${said(no)}, ${said(when)})`, said(yes), said(no));
    }
    if (name === "workgroupUniformLoad") add("gpu-sync-removal", elem, said(elem.arguments[0]!).replace(/^&/, ""));
    if (name === "atomicAdd") {
      const [target, value] = elem.arguments.map(said);
      add("gpu-atomic-removal", elem, `atomicStore(${target}, atomicLoad(${target}) + ${value})`);
    }
  }

  function size({ attribute }: AttributeElem): void {
    if (attribute.kind !== "@attribute" || attribute.name !== "workgroup_size") return;
    const params = attribute.params ?? [];
    for (const param of params) {
      add("gpu-configuration-increment", param, `${said(param)} + 1`);
      add("gpu-configuration-decrement", param, `${said(param)} - 1`);
    }
    const [x, y] = params;
    if (x === undefined || y === undefined || said(x).trim() === said(y).trim()) return;
    const swapped = `${said(y)}${source.slice(x.end, y.start)}${said(x)}`;
    add("gpu-configuration-swap", { start: x.start, end: y.end }, swapped);
  }

  function statement(elem: Statement): void {
    switch (elem.kind) {
      case "call": {
        const barrier = /^(workgroup|storage)Barrier/.test(said(elem.call));
        add(barrier ? "gpu-sync-removal" : "statement dropped", elem.call, barrier ? "" : "_ = 0");
        break;
      }
      case "assign": {
        const span = { start: elem.op.span[0], end: elem.op.span[1] };
        add("assignment", span, ...(ASSIGNS[elem.op.value] ?? []));
        if (elem.lhs.kind === "phony") break;
        add("statement dropped", elem, `_ = ${said(elem.lhs)};`);
        if (!isWhole(elem.rhs)) add("sign", elem.rhs, `-(${said(elem.rhs)})`);
        break;
      }
      case "increment":
        add("step", elem, `${said(elem.target)} += 2`);
        break;
      case "if":
        add("condition", elem.condition, "true", "false");
        break;
      case "while":
        add("condition", elem.condition, "false");
        break;
      case "for": {
        if (elem.condition !== undefined) add("condition", elem.condition, "false");
        if (elem.update?.kind === "assign")
          add("step", elem.update.rhs, `${said(elem.update.rhs)} + 1`, `2 * (${said(elem.update.rhs)})`);
        break;
      }
      case "var":
        if (elem.init === undefined || elem.init.kind === "literal") break;
        add("initialiser", elem.init, `${said(elem.init)} + 1`);
        break;
      default:
    }
  }
}

function fieldsOf(text: WgslText): { readonly name: string; readonly type: string }[] {
  const dims = text.module.decls.find((decl) => decl.kind === "struct" && decl.name.ident.originalName === "Dims");
  if (dims?.kind !== "struct") return [];
  return dims.members.map((one) => ({ name: one.name.name, type: one.typeRef.name.originalName }));
}

/** The names under which scalars of the entry points say which invocation this is. */
function indexNames(text: WgslText): ReadonlySet<string> {
  const names = new Set<string>();
  visitAst(text.module, (elem) => {
    if (elem.kind !== "param") return;
    const found = (elem.attributes ?? []).some(
      ({ attribute }) => attribute.kind === "@builtin" && INDICES.has(attribute.param.name),
    );
    const name = elem.name.decl.ident.originalName;
    if (found && text.typeOfDecl(elem.name.decl.ident).kind === "scalar") names.add(name);
  });
  return names;
}
