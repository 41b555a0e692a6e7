// The cases that mutants of one kernel are put to, and what becomes of a mutant there.
//
// A mutant is interpreted first, which takes milliseconds, ends endless loops, and shows races; what passes runs on the software adapter
// with guards. Truth and bound of each case are computed once.
import * as fc from "fast-check";
import { buildCase } from "../../judge/campaign.ts";
import { arbitraryCase, type Case, exampleCases, formatCase, parseCase, type Problem } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import type { Terms } from "../../judge/terms.ts";
import { type Compare, everyElement, judgeOutputs, judgeProblem, roundProblem } from "../../judge/verdict.ts";
import { deviceCandidate, numbersOf } from "../../kernels-gpu/candidate.ts";
import { openDevice } from "../../kernels-gpu/device/dawn.ts";
import type { Device } from "../../kernels-gpu/device/device.ts";
import { lintWgsl, nullDevice } from "../../kernels-gpu/device/lint.ts";
import { kernelOf } from "../../kernels-gpu/index.ts";
import { type Looked, lookForRaces } from "../../kernels-gpu/races/index.ts";
import { WgslText } from "../../kernels-gpu/races/module.ts";
import type { InterpreterOptions } from "../../kernels-gpu/races/recorder.ts";
import { wgsl } from "../../kernels-gpu/texts.ts";
import type { Inputs } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import { ownCases } from "./cases.ts";
import type { Mutant } from "./sites.ts";

/**
 * What a mutant is killed by: k its numbers, r the look for races, s its numbers in a dispatch along two axes, d what the device gives. c: it
 * does not compile; t, h: it does not end, as interpreted, on the device; e: explained as equivalent; x: explained, and refuted; v: it survives.
 */
export type Fate = "k" | "r" | "s" | "d" | "c" | "t" | "h" | "e" | "x" | "v";

interface Trial {
  readonly line: string;
  readonly problem: Problem;
  /** Of interpreted numbers. */
  readonly compare: Compare;
  readonly compareOnDevice: Compare;
  readonly profile: Case["profile"];
  /** What the kernel itself takes. */
  readonly steps: number;
  readonly overrides: Readonly<Record<string, number>>;
}

/** A case with the kernel's own outputs, and the steps that they take. */
interface Known {
  readonly problem: Problem;
  readonly steps: number;
  readonly outputs: NonNullable<Looked["outputs"]>;
}

const terms = { target: targets.wgsl, dtype: "float32" } as const;
const SEED = 20_261_130;
const DRAWN = 40;
/** Profiles with which ordinary sizes are tried too: rows whose largest number, or only one, is anywhere. */
const WIDE = ["large", "one-hot"] as const;
const MOST_STEPS = 40_000;
/** A mutant that takes so many times the kernel's steps does not end. */
const ENDLESS = 8;
const TIMEOUT = 4000;
const LONGEST = 1_000_000;
/** Cases for an explained mutant: the smallest of so many that are drawn. */
const EXPLAINED = 1000;
const LOOKED_AT = 4 * EXPLAINED;

let nulls: ReturnType<typeof nullDevice> | undefined;
let software: Promise<Device> | undefined;

export class Bench {
  readonly #op: string;
  readonly #file: string;
  readonly #chosen: ReturnType<typeof choose>[number];
  readonly #trials: readonly Trial[];
  /** What interpreted numbers are held to. */
  readonly #terms: Terms;
  /** Those that explained mutants are put to. */
  #cheap: readonly Known[] | undefined;

  constructor(op: string) {
    this.#op = op;
    this.#file = `${op}.wgsl`;
    this.#chosen = choose([op])[0]!;
    this.#terms = { ...terms, target: ownCases(op).target ?? terms.target };
    this.#trials = this.#made();
  }

  /** The cases, as lines that replay them. */
  get cases(): readonly string[] {
    return this.#trials.map(({ line }) => line);
  }

  async fateOf({ text, operator }: Pick<Mutant, "text" | "operator">): Promise<Fate> {
    nulls ??= nullDevice();
    const { device } = await nulls;
    const errors = (await lintWgsl(device, this.#file, text)).filter((line) => !line.includes(" warning: "));
    if (errors.length > 0) return "c";
    const interpreted = this.#interpreted(text, operator);
    return interpreted ?? this.#onDevice(text);
  }

  /** Whether some of a thousand cases tell an explained mutant from the kernel: by any bit, or, where it adds in another order, by the bound. */
  refutes(text: string, reorders: boolean): boolean {
    this.#cheap ??= this.#thousand();
    const isTold = ({ problem, outputs: own, steps }: Known): boolean => {
      const { outputs, races, beyond } = this.#look(problem, { text, steps: ENDLESS * steps + 1000 });
      if (outputs === undefined || races.length + beyond.length > 0) return true;
      return reorders
        ? judgeOutputs(this.#chosen.operation, outputs as never, problem, this.#terms).findings.length > 0
        : Object.entries(own).some(([name, { data }]) => !isEqual(data, outputs[name]!.data));
    };
    return this.#cheap.some(isTold);
  }

  /** Small cases with what the kernel itself gives: computed once for all explained mutants. */
  #thousand(): Known[] {
    const { spec, operation } = this.#chosen;
    const elements = ({ inputs }: Problem): number => Object.values(inputs).reduce((n, { data }) => n + data.length, 0);
    return fc
      .sample(arbitraryCase(spec, false), { numRuns: LOOKED_AT, seed: SEED + 1 })
      .map((c) => roundProblem(operation, buildCase(spec, c), "float32"))
      .toSorted((a, b) => elements(a) - elements(b))
      .slice(0, EXPLAINED)
      .map((problem) => {
        const { outputs, steps } = this.#look(problem, { steps: LONGEST });
        if (outputs === undefined) throw new RangeError(`${this.#op}: a small case takes more than ${LONGEST} steps`);
        return { problem, outputs, steps };
      });
  }

  #interpreted(text: string, operator: string): Fate | undefined {
    const looks = /sync|atomic/.test(operator);
    for (const isSplit of [false, true]) {
      for (const trial of this.#trials) {
        const { problem, steps, overrides } = trial;
        const looked = this.#look(problem, { text, steps: ENDLESS * steps + 1000, isSplit, overrides });
        if (looked.stopped?.includes("steps") === true) return "t";
        if (looked.outputs === undefined) return undefined;
        if (looked.races.length + looked.unordered.length > 0) return "r";
        const isWrong = looked.beyond.length > 0 || (!looks && this.#isOutside(trial, looked.outputs));
        if (isWrong) return isSplit ? "s" : "k";
      }
    }
    return undefined;
  }

  #isOutside({ problem, compare }: Trial, outputs: NonNullable<Looked["outputs"]>): boolean {
    const given = outputs as Parameters<typeof judgeOutputs>[1];
    return judgeOutputs(this.#chosen.operation, given, problem, this.#terms, [], () => compare).findings.length > 0;
  }

  async #onDevice(text: string): Promise<Fate> {
    const { operation } = this.#chosen;
    software ??= openDevice({ adapter: "software" });
    const sources = new Map([[this.#file, text]]);
    const device = await software;
    for (const { problem, compareOnDevice, overrides } of this.#trials) {
      const options = { sources, timeout: TIMEOUT, overrides };
      const candidate = deviceCandidate(device, kernelOf(this.#op)!, operation, options);
      const { findings } = await judgeProblem(operation, candidate, problem, terms, () => compareOnDevice);
      if (findings.some((finding) => /no result within|lost/.test(finding))) return "h";
      if (findings.length > 0) return "d";
    }
    return "v";
  }

  #look(
    { inputs, scalars }: Problem,
    { text, ...options }: Partial<InterpreterOptions> & { readonly text?: string; readonly steps: number },
  ): Looked {
    const program = kernelOf(this.#op)!;
    const sources = new Map(text === undefined ? [] : [[this.#file, text]]);
    return lookForRaces(program, inputs as Inputs, numbersOf(this.#chosen.operation, program, scalars), {
      sources,
      ...options,
    });
  }

  /** Two cheap cases of each profile, examples among them; then ordinary sizes, also with other tiles. */
  #made(): Trial[] {
    const { spec } = this.#chosen;
    const ordinary: Case = { op: this.#op, sizes: spec.ordinary, profile: "unit", seed: 1 };
    const drawn = fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN, seed: SEED });
    const all = [...exampleCases(spec, 1), ...drawn].flatMap((c) => this.#trial(c));
    const cheap = all.filter(({ steps }) => steps > 1 && steps < MOST_STEPS).toSorted((a, b) => a.steps - b.steps);
    const profiles = [...new Set(cheap.map(({ profile }) => profile))];
    const some = profiles.flatMap((profile) => {
      const alike = cheap.filter((one) => one.profile === profile);
      return alike.filter((_, i) => i === Math.floor(alike.length / 2) || i === alike.length - 1);
    });
    const usual = ["unit", ...WIDE.filter((profile) => spec.profiles.includes(profile))] as const;
    const ordinaries = usual.flatMap((profile) => this.#trial({ ...ordinary, profile }));
    const tiled = this.#otherTiles().flatMap((overrides) => this.#trial(ordinary, overrides));
    const own = ownCases(this.#op).cases.flatMap((line) => {
      const made = this.#trial(parseCase(line));
      if (made.length === 0)
        throw new RangeError(`${line}: the kernel itself does not pass, or takes more than ${LONGEST} steps`);
      return made;
    });
    return [...some.toSorted((a, b) => a.steps - b.steps), ...ordinaries, ...tiled, ...own];
  }

  /** A trial, unless the kernel itself does not pass it, or takes too long. */
  #trial(c: Case, overrides: Trial["overrides"] = {}): Trial[] {
    const { operation, spec } = this.#chosen;
    const problem = roundProblem(operation, buildCase(spec, c), "float32");
    const looked = this.#look(problem, { steps: LONGEST, overrides });
    const line = [formatCase(c), ...Object.entries(overrides).map(([name, value]) => `${name}=${value}`)].join(" ");
    const compareOnDevice = everyElement(operation, problem, terms);
    const compare =
      this.#terms.target === terms.target ? compareOnDevice : everyElement(operation, problem, this.#terms);
    const trial = { line, problem, profile: c.profile, steps: looked.steps, overrides, compare, compareOnDevice };
    return looked.outputs === undefined || this.#isOutside(trial, looked.outputs) ? [] : [trial];
  }

  /** Each override at a smaller value that is no power of two, and all at 1: kernels say that they take any. */
  #otherTiles(): Record<string, number>[] {
    const { module } = new WgslText(wgsl(this.#op).source);
    const overrides = module.decls.flatMap((decl) =>
      decl.kind === "override" && decl.init?.kind === "literal"
        ? [[decl.name.decl.ident.originalName, Number.parseInt(decl.init.value, 10)] as const]
        : [],
    );
    const smaller = overrides.map(([name, value]) => ({ [name]: Math.max(1, Math.floor((3 * value) / 8)) }));
    const least = Object.fromEntries(overrides.map(([name]) => [name, 1]));
    return overrides.length === 0 ? [] : [...smaller, least];
  }
}

function isEqual(a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean {
  return a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
}
