// The sizes that the cases of a run had. A verdict says nothing of longer ones.
import type { Sizes } from "./case.ts";

/** What was tried: each axis by its name, and two or more axes at once by their names with "·" between them. */
export interface SizesTried {
  /** The smallest and the largest length of each axis. */
  readonly axes: Readonly<Record<string, readonly [least: number, most: number]>>;
  /** The largest n such that one case had both axes as long as that; n of all axes, where there are more than two. */
  readonly together: Readonly<Record<string, number>>;
  /** What no case had, such as "R beyond 2078" and "R·O beyond 130", which is shorter than each of the two alone. */
  readonly never: readonly string[];
}

/** Many kernels change their ways up to this length: two axes that are both longer are no gap. */
const LAST_GATE = 2048;

/** Collects the sizes of cases. Choices, and sizes that are no lengths, are left out. */
export class SizeRecord {
  private readonly names: readonly string[];
  private readonly axes = new Map<string, [number, number]>();
  private readonly together = new Map<string, number>();

  /** The names of sizes that are lengths of axes. */
  constructor(names: readonly string[]) {
    this.names = names;
  }

  add(sizes: Sizes): void {
    const lengths = this.names.flatMap((name): [string, number][] => {
      const length = sizes[name];
      return typeof length === "number" ? [[name, length]] : [];
    });
    for (const [name, length] of lengths) {
      const [least, most] = this.axes.get(name) ?? [length, length];
      this.axes.set(name, [Math.min(least, length), Math.max(most, length)]);
    }
    for (const [i, a] of lengths.entries()) for (const b of lengths.slice(i + 1)) this.note([a, b]);
    if (lengths.length > 2) this.note(lengths);
  }

  tried(): SizesTried {
    const never = [...this.axes].map(([axis, [, most]]) => `${axis} beyond ${most}`);
    const gaps = [...this.together].filter(([names, n]) => n < Math.min(LAST_GATE, this.shortest(names.split("·"))));
    return {
      axes: Object.fromEntries(this.axes),
      together: Object.fromEntries(this.together),
      never: [...never, ...gaps.map(([names, n]) => `${names} beyond ${n}`)],
    };
  }

  /** How long the shortest of the axes was at its longest. */
  private shortest(names: readonly string[]): number {
    return names.reduce((least, name) => Math.min(least, this.axes.get(name)![1]), Infinity);
  }

  private note(lengths: readonly (readonly [string, number])[]): void {
    const name = lengths.map(([axis]) => axis).join("·");
    const all = lengths.reduce((n, [, length]) => Math.min(n, length), Infinity);
    this.together.set(name, Math.max(this.together.get(name) ?? 0, all));
  }
}
