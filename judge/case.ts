// A case is an op, sizes, a profile and a seed: one line that anyone can replay, not arrays.
import * as fc from "fast-check";
import type { DTypeName } from "../reference/dtype.ts";
import type { Inputs, Scalars } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import { type MadeUp, type Profile, profiles } from "./profile.ts";
import { tiledSizes, type Tiling } from "./tiling.ts";

/** Lengths of axes, whole numbers and choices, by name. */
export type Sizes = Readonly<Record<string, number | string>>;

export interface Case {
  readonly op: string;
  readonly sizes: Sizes;
  readonly profile: Profile;
  readonly seed: number;
}

export interface Problem {
  readonly inputs: Inputs;
  readonly scalars: Scalars;
  /** What its numbers are; on the lattice some outputs must be exact. Ordinary numbers unless given. */
  readonly profile?: Profile;
}

/** The cases of an op, and how one becomes inputs. */
export interface CaseSpec<P = Problem> {
  readonly op: string;
  /** One arbitrary for each size or choice. */
  readonly sizes: Readonly<Record<string, fc.Arbitrary<number | string>>>;
  /** Whether sizes go together (NKV divides NH) and are small enough to run by the hundred. */
  readonly fits: (sizes: Sizes) => boolean;
  /** Sizes of cases that are tried whatever the number of drawn ones: those of a model, say. */
  readonly always?: readonly Sizes[];
  /** The axes that kernels cut into tiles; drawn cases have some lengths of these on purpose. */
  readonly tiling?: Tiling;
  /** All sizes together, where they are not drawn one by one until they fit. */
  readonly drawn?: fc.Arbitrary<Sizes>;
  /** Profiles of made-up numbers that make sense for the op. */
  readonly profiles: readonly MadeUp[];
  /** Cases that always run first: awkward shapes that drawing might miss. */
  readonly examples: readonly { readonly sizes: Sizes; readonly profile?: MadeUp }[];
  /**
   * The inputs; the same for the same case. `dtype` is the one in which a candidate will get them, float32 unless given:
   * tensors that a forward leaves are computed from the inputs as they are stored.
   */
  readonly build: (sizes: Sizes, profile: MadeUp, seed: number, dtype?: DTypeName) => P;
}

/** Generators take 32 bits: a larger seed would be the same case as a smaller one. */
const LARGEST_SEED = 2 ** 32 - 1;

/** Such as "swiglu.forward R=3 F=5 profile=unit seed=17". */
export function formatCase(c: Case): string {
  const sizes = Object.entries(c.sizes).map(([name, value]) => `${name}=${value}`);
  return [c.op, ...sizes, `profile=${c.profile}`, `seed=${c.seed}`].join(" ");
}

/** The case that formatCase wrote. Throws RangeError naming the word that is wrong. */
export function parseCase(line: string): Case {
  const [op, ...words] = line.trim().split(/\s+/);
  const sizes: Record<string, number | string> = Object.create(null);
  let profile: string | undefined;
  let seed: string | undefined;
  for (const word of words) {
    const match = /^([A-Za-z][A-Za-z0-9.]*)=([A-Za-z0-9.+-]+)$/.exec(word);
    if (match === null) throw new RangeError(`replay: "${word}" is not NAME=VALUE, expected such as R=3`);
    const [, name, value] = match as unknown as [string, string, string];
    const number = /^-?\d{1,10}$/.test(value) ? Number(value) : undefined;
    if (name in sizes || (name === "profile" && profile !== undefined) || (name === "seed" && seed !== undefined)) {
      throw new RangeError(`replay: ${name} occurs twice, expected once`);
    }
    if (name === "profile") profile = value;
    else if (name === "seed") seed = value;
    else sizes[name] = number ?? value;
  }
  if (!(profiles as readonly string[]).includes(profile ?? "")) {
    throw new RangeError(`replay: profile is ${profile ?? "missing"}, expected one of ${profiles.join(", ")}`);
  }
  if (!(/^\d{1,10}$/.test(seed ?? "") && Number(seed) <= LARGEST_SEED)) {
    throw new RangeError(`replay: seed is ${seed ?? "missing"}, expected a whole number from 0 to ${LARGEST_SEED}`);
  }
  return { op, sizes, profile: profile as Profile, seed: Number(seed) };
}

/** Cases of one op, shrinking towards small sizes and the first profile. `withReal` adds the recorded inputs. */
export function arbitraryCase(spec: CaseSpec, withReal: boolean): fc.Arbitrary<Case> {
  const sizes = fc.record(spec.sizes).filter(spec.fits);
  const drawn = fc.record({
    op: fc.constant(spec.op),
    sizes: spec.drawn ?? (spec.tiling === undefined ? sizes : tiledSizes(sizes, spec.tiling, spec.fits)),
    profile: fc.constantFrom<Profile>(...spec.profiles),
    seed: fc.nat(0x7fffffff),
  });
  if (!withReal) return drawn;
  const real = fc.record({
    op: fc.constant(spec.op),
    sizes: fc.constant({}),
    profile: fc.constant<Profile>("real"),
    seed: fc.nat(0x7fffffff),
  });
  return fc.oneof({ weight: 9, arbitrary: drawn }, { weight: 1, arbitrary: real });
}

/**
 * The cases that always run: each example under its profile, or under every profile in turn, and with zeros of both signs.
 * Those with masked classes are among them only for a target that promises something of −∞.
 */
export function exampleCases(
  spec: CaseSpec,
  seed: number,
  { promisesNonFinite }: Pick<Target, "promisesNonFinite"> = { promisesNonFinite: false },
): Case[] {
  return allExamples(spec, seed).filter((c) => promisesNonFinite || !isOfInfinities(c));
}

/** The examples of whose numbers a target may promise nothing. */
export function infiniteExamples(spec: CaseSpec, seed: number): Case[] {
  return allExamples(spec, seed).filter(isOfInfinities);
}

function allExamples(spec: CaseSpec, seed: number): Case[] {
  const all: readonly MadeUp[] = spec.profiles.includes("one-hot") ? [...spec.profiles, "signed-zeros"] : spec.profiles;
  return spec.examples.flatMap(({ sizes, profile }) =>
    (profile === undefined ? all : [profile]).map((p) => ({ op: spec.op, sizes, profile: p, seed })),
  );
}

function isOfInfinities({ profile }: Case): boolean {
  return profile === "masked";
}

/** A length: mostly small, sometimes next to a power of two, where tiles end. Shrinks towards `min`. */
export function axis(max: number, min = 1): fc.Arbitrary<number> {
  const edges = [15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257].filter((n) => n >= min && n <= max);
  const small = fc.integer({ min, max: Math.min(max, Math.max(9, min)) });
  const any = fc.integer({ min, max });
  return edges.length === 0
    ? fc.oneof(small, any)
    : fc.oneof(
        { weight: 2, arbitrary: small },
        { weight: 2, arbitrary: any },
        { weight: 1, arbitrary: fc.constantFrom(...edges) },
      );
}

/** A size that must be a whole number, of at least `min`. */
export function size(sizes: Sizes, name: string, min = 0): number {
  const value = sizes[name];
  if (!(typeof value === "number" && Number.isSafeInteger(value) && value >= min)) {
    const least = min === -Infinity ? "" : ` of at least ${min}`;
    throw new RangeError(`${name} is ${value ?? "missing"}, expected a whole number${least}`);
  }
  return value;
}
