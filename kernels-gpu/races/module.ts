// A WGSL text, parsed and bound by the library wesl, with its overrides replaced by their values: every length is then a constant.
import {
  bindIdents,
  type DeclIdent,
  type ExpressionElem,
  type FnElem,
  lineStarts,
  minimalMangle,
  type ModuleElem,
  type OverrideElem,
  RecordResolver,
  refDecl,
  type RefIdent,
  type Type,
  type TypeContext,
  typeOfDecl,
  typeOfExpr,
  typeToString,
} from "wesl/core";
import { regroup } from "./regroup.ts";

/** What a text says that is not interpreted here, with its line. */
export class NotInterpreted extends Error {
  override readonly name = "NotInterpreted";
}

const ROOT = "package::main";

/** A text with what its names refer to and its types. */
export class WgslText {
  readonly module: ModuleElem;
  readonly context: TypeContext;
  readonly #starts: readonly number[];

  /** Without `constants`, overrides stay. Throws NotInterpreted for a text that does not parse, or an override without a value. */
  constructor(text: string, constants?: Readonly<Record<string, number>>) {
    const first = parsed(text);
    const source = constants === undefined ? text : withConstants(text, first, constants);
    const { ast, bindings } = source === text ? first : parsed(source);
    this.module = ast.moduleElem;
    this.context = { bindings, conditions: {} };
    this.#starts = lineStarts(source);
  }

  /** The line of a place, counted from 1. */
  lineOf({ start }: { readonly start: number }): number {
    let line = this.#starts.findLastIndex((first) => first <= start);
    line = Math.max(0, line);
    return line + 1;
  }

  declOf(ident: RefIdent): DeclIdent | undefined {
    return refDecl(ident, this.context.bindings);
  }

  typeOf(expr: ExpressionElem): Type {
    return typeOfExpr(expr, this.context);
  }

  typeOfDecl(decl: DeclIdent): Type {
    return typeOfDecl(decl, this.context);
  }

  /** The function of that name; undefined if there is none. */
  functionOf(name: string): FnElem | undefined {
    return this.module.decls.find(
      (decl): decl is FnElem => decl.kind === "fn" && decl.name.ident.originalName === name,
    );
  }

  wrong(at: { readonly start: number }, what: string): NotInterpreted {
    return new NotInterpreted(`line ${this.lineOf(at)}: ${what} is not interpreted`);
  }
}

function parsed(text: string) {
  const resolver = new RecordResolver({ [ROOT]: text }, { keepComments: false });
  const ast = resolver.resolveModule(ROOT)!;
  const wrong = ast.diagnostics.find(({ severity }) => severity === "error");
  if (wrong !== undefined) {
    const line = text.slice(0, wrong.start).split("\n").length;
    throw new NotInterpreted(`line ${line}: ${wrong.message}`);
  }
  regroup(ast.moduleElem);
  const { bindings } = bindIdents({ rootAst: ast, resolver, conditions: {}, mangler: minimalMangle });
  return { ast, bindings };
}

/** The text with `const` declarations for its overrides, on the same lines. */
function withConstants(
  text: string,
  { ast, bindings }: ReturnType<typeof parsed>,
  constants: Readonly<Record<string, number>>,
): string {
  const overrides = ast.moduleElem.decls.filter((decl): decl is OverrideElem => decl.kind === "override");
  let changed = text;
  for (const override of overrides.toReversed()) {
    const { start, end, init, name } = override;
    const called = name.decl.ident.originalName;
    const type = typeToString(typeOfDecl(name.decl.ident, { bindings, conditions: {} }));
    const value = constants[called];
    if (value === undefined && init === undefined) throw new NotInterpreted(`override ${called} has no value`);
    const said = value === undefined ? text.slice(init!.start, init!.end) : literalOf(value, type);
    const breaks = text.slice(start, end).replaceAll(/[^\n]/g, "");
    changed = `${changed.slice(0, start)}const ${called}: ${type} = ${said};${breaks}${changed.slice(end)}`;
  }
  return changed;
}

function literalOf(value: number, type: string): string {
  if (type === "bool") return String(value !== 0);
  return type.startsWith("f") ? `${type}(${value})` : String(value);
}
