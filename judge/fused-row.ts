// The row of a fused op: its cases, probes and relations follow from those of its parts.
import { axesOf, type Operation } from "../reference/operation.ts";
import { type CaseSpec, size, type Sizes } from "./case.ts";
import { type Fused, ownNames, type Parts, rename, renamedAxis, renaming, type Renaming } from "./fused.ts";
import type { Probe } from "./probes.ts";
import { fusePadding } from "./invariance/padding.ts";
import { fuseIndependence } from "./relations/independence.ts";
import { fuseSymmetry } from "./relations/permutation.ts";
import { fuseScaling } from "./relations/scaling.ts";
import type { JudgeRow } from "./row.ts";
import { joinTilings, type Tiling } from "./tiling.ts";
import { smallest } from "../reference/lists.ts";

/** The length of sums whose errors are negligible next to those of the longest. */
const SHORT = 64;

/** The row of a fused op, each field from those of its two parts. */
export function fuseRows({ parts }: Fused, first: JudgeRow, second: JudgeRow): JudgeRow {
  const { a, fed, ofA, ofB } = parts;
  const spec = fuseCases(parts, first, second);
  const probes = (n: number): Probe[] => fuseProbes(parts, first, second, n);
  return {
    ...spec,
    large: undefined,
    around: undefined,
    sampling: undefined,
    ordinary: fuseOrdinary(parts, spec, first.ordinary, second.ordinary),
    probes,
    lowProbes: probes,
    cancelling: () => [],
    independence: fuseIndependence(parts, first.independence, second.independence),
    padding: fusePadding(parts, first, second.padding),
    symmetry: fuseSymmetry(parts, first.symmetry, second.symmetry),
    scaling: fuseScaling(parts, first.scaling, second.scaling),
    shift: [],
    overlooked: [...first.overlooked.map(ofA), ...second.overlooked.filter((input) => input !== fed).map(ofB)],
    shown: (input, { inputs, scalars }) => {
      const inner = Object.keys(a.inputs).find((name) => ofA(name) === input);
      return inner === undefined ? 0 : first.shown(inner, parts.first(inputs, scalars));
    },
    unread: () => undefined,
    atScale: undefined,
    none: {},
  };
}

/** Cases for a fused op, drawn from those of its two parts. */
function fuseCases({ a, b }: Parts, first: CaseSpec, second: CaseSpec): CaseSpec {
  const names = renaming(a, b);
  const own = ownNames(a, b);
  const main = Object.keys(a.outputs)[0];
  const fed = new Map(axesOf(b.inputs[names.fed]).map((axis, i) => [axis, axesOf(a.outputs[main])[i]]));
  const outer = outerSize(b, names);
  const free = Object.keys(second.sizes).filter((name) => !fed.has(name));
  const secondSizes = (sizes: Sizes): Sizes =>
    Object.fromEntries(Object.keys(second.sizes).map((name) => [name, sizes[fed.get(name) ?? outer(name)]]));
  const isGrouped = areHeadsGrouped(b, names, first.sizes, second.sizes);
  const firstSizes = (sizes: Sizes): Sizes =>
    isGrouped ? { ...sizes, NH: size(sizes, outer("NKV")) * size(sizes, outer("groups")) } : sizes;
  const withoutHeads = (tiling: Tiling): Tiling =>
    isGrouped ? { ...tiling, counted: tiling.counted.filter((name) => name !== "NH") } : tiling;
  const example = second.examples.find(({ sizes }) => Object.values(sizes).every((n) => n !== 0));
  return {
    op: `${a.name}+${b.name}`,
    sizes: {
      ...(isGrouped ? without(first.sizes, "NH") : first.sizes),
      ...Object.fromEntries(free.map((name) => [outer(name), second.sizes[name]])),
    },
    fits: (sizes) => first.fits(firstSizes(sizes)) && second.fits(secondSizes(sizes)),
    ...(first.tiling === undefined || second.tiling === undefined
      ? {}
      : {
          tiling: joinTilings(withoutHeads(first.tiling), second.tiling, (name) =>
            free.includes(name) ? [outer(name)] : [],
          ),
        }),
    profiles: first.profiles.filter((profile) => second.profiles.includes(profile)),
    examples: first.examples.map(({ sizes, profile }) => ({
      sizes: {
        ...(isGrouped ? without(sizes, "NH") : sizes),
        ...Object.fromEntries(free.map((name) => [outer(name), example?.sizes[name] ?? 1])),
      },
      ...(profile === undefined ? {} : { profile }),
    })),
    build: (sizes, profile, seed) => {
      const one = first.build(firstSizes(sizes), profile, seed);
      const two = second.build(secondSizes(sizes), profile, seed + 1);
      return {
        inputs: {
          ...rename(one.inputs, own),
          ...Object.fromEntries(
            Object.entries(two.inputs)
              .filter(([name]) => name !== names.fed)
              .map(([name, t]) => [names.inputs.get(name)!, t]),
          ),
        },
        scalars: { ...rename(one.scalars, own), ...rename(two.scalars, names.scalars) },
      };
    },
  };
}

/** Sizes of a fused op from those of its parts: the second's count where the first's main output does not decide them. */
function joinSizes({ a, b, fed }: Parts, first: Sizes, second: Sizes): Sizes {
  const decided = new Set(axesOf(b.inputs[fed]));
  const outer = outerSize(b, renaming(a, b));
  const free = Object.entries(second).filter(([name]) => !decided.has(name));
  const isGrouped = areHeadsGrouped(b, renaming(a, b), first, second);
  return {
    ...(isGrouped ? without(first, "NH") : first),
    ...Object.fromEntries(free.map(([name, length]) => [outer(name), length])),
  };
}

/** Whether the first op's heads are query heads of the second, whose sizes say how many there are for each key/value head. */
function areHeadsGrouped(b: Operation, names: Renaming, first: object, second: object): boolean {
  const passesHeads = axesOf(b.inputs[names.fed]).includes("NH") && names.axes.get("NH") === "NH";
  return passesHeads && "NH" in first && "groups" in second;
}

function without<V>(values: Readonly<Record<string, V>>, name: string): Record<string, V> {
  return Object.fromEntries(Object.entries(values).filter(([other]) => other !== name));
}

/** The fused op's name for a size of the second op. */
function outerSize(b: Operation, names: Renaming): (name: string) => string {
  return (name) => (name in b.scalars ? names.scalars.get(name)! : renamedAxis(names.axes, name));
}

/** Ordinary sizes of both parts; where those leave a size open, the sizes of the example whose shortest length is longest. */
function fuseOrdinary(parts: Parts, spec: CaseSpec, first: Sizes, second: Sizes): Sizes {
  const joined = joinSizes(parts, first, second);
  if (Object.keys(joined).toSorted().join() === Object.keys(spec.sizes).toSorted().join()) return joined;
  const shortest = (sizes: Sizes): number =>
    smallest(Object.values(sizes).map((x) => (typeof x === "number" ? x : Infinity)));
  const made = spec.examples.filter(({ profile = "unit" }) => profile === "unit" || profile === "lattice");
  return made.toSorted((a, b) => shortest(b.sizes) - shortest(a.sizes))[0].sizes;
}

/** Probes with the longest sums of the first part, whatever the second's are; and of the second, with short ones of the first. */
function fuseProbes(parts: Parts, first: JudgeRow, second: JudgeRow, n: number): Probe[] {
  const { a, b, main, fed } = parts;
  const outputs = Object.keys(b.outputs);
  const [passed, taken] = [axesOf(a.outputs[main]), axesOf(b.inputs[fed])];
  const small = ({ tiles }: Probe): boolean => tiles === undefined; // every element of a fused op is measured
  const [long, others] = [first.probes(n).filter(small), second.probes(n).filter(small)];
  const [short] = first.probes(SHORT);
  if (long.length === 0 || others.length === 0) return [];
  const [{ sizes: least }] = others;
  const firsts = long.map(({ sizes, draws = 1 }): Probe => ({
    sizes: joinSizes(parts, sizes, least),
    outputs,
    draws,
  }));
  const seconds = others.map(({ sizes, draws = 1 }): Probe => {
    const decided = taken.flatMap((axis, i) => (axis in sizes ? [[passed[i], sizes[axis]] as const] : []));
    return { sizes: joinSizes(parts, { ...short.sizes, ...Object.fromEntries(decided) }, sizes), outputs, draws };
  });
  const lines = new Set<string>();
  return [...firsts, ...seconds].filter(({ sizes }) => {
    const line = Object.entries(sizes).toSorted().join();
    return !lines.has(line) && lines.add(line);
  });
}
