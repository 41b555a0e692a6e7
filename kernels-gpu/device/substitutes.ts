// Texts and overrides that stand in for a kernel's own: mutants, other tile sizes.
import { checkKernel, type KernelDeclaration } from "./declaration.ts";
import { parseWgsl, type WgslModule } from "./wgsl.ts";

/** A text and what it declares: a kernel's own, or its replacement. */
export interface KernelText {
  readonly text: string;
  readonly module: WgslModule;
}

export interface SubstituteOptions {
  /** Texts that stand in for WGSL files, by file name: "swiglu.forward.wgsl". */
  readonly sources?: ReadonlyMap<string, string>;
  /** Values of overrides, for every kernel that has one of that name. */
  readonly overrides?: Readonly<Record<string, number>>;
}

export class Substitutes {
  readonly #sources: ReadonlyMap<string, string>;
  readonly #overrides: Readonly<Record<string, number>>;
  readonly #texts = new Map<string, KernelText>();
  readonly #used = new Set<string>();

  constructor({ sources = new Map(), overrides = {} }: SubstituteOptions) {
    this.#sources = sources;
    this.#overrides = overrides;
  }

  /** The text that a kernel runs with. Throws RangeError or SyntaxError for a replacement that does not fit its declaration. */
  textOf(kernel: KernelDeclaration): KernelText {
    const text = this.#sources.get(kernel.file);
    if (text === undefined) return { text: kernel.source, module: kernel.module };
    this.#used.add(kernel.file);
    let found = this.#texts.get(kernel.id);
    if (found === undefined) {
      found = { text, module: parseWgsl(kernel.file, text) };
      checkKernel(kernel, found.module);
      this.#texts.set(kernel.id, found);
    }
    return found;
  }

  /** The overrides that a kernel runs with. */
  constantsOf(kernel: KernelDeclaration, { module }: KernelText): Record<string, number> {
    const constants = { ...kernel.overrides };
    for (const [name, value] of Object.entries(this.#overrides)) {
      if (!module.overrides.some((override) => override.name === name)) continue;
      this.#used.add(name);
      constants[name] = value;
    }
    return constants;
  }

  /** Replacement texts and overrides that no kernel has run with. */
  unused(): string[] {
    return [...this.#sources.keys(), ...Object.keys(this.#overrides)].filter((name) => !this.#used.has(name));
  }
}
