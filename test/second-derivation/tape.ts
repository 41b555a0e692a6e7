// A concrete evaluation as a list of operations, each with what the target lets it err by, and the worst that these errors
// can do together to one of its results. To first order
//
//   |ŷ − y|  ≤  Σ over operations i of |∂y / ∂vᵢ| · tolᵢ,      tol(a ∘ b) = u · |a ∘ b|,   tol(f(x)) = the target's figure
//
// and the signs of ∂y / ∂vᵢ say how an adversary has each operation err. `replay` evaluates once more with just these errors:
// what comes out is a result that the target's figures permit, second and higher orders included.
import { dtypes, ulp } from "../../reference/dtype.ts";
import type { Target } from "../../reference/targets.ts";
import { figure, holds, holdsProduct, isScale } from "./figures.ts";
import { type Kind, kinds, resultOf, type Unary } from "./operations.ts";

/** The number of a node. */
export type Id = number;

const { minNormal, minSubnormal, max: MAX } = dtypes.float32;
const { LN2 } = Math;

const MOST_DIVISOR = 2 ** 126;
/** Whole subnormal numbers. */
const steps = (x: number): number => Math.floor(x / minSubnormal) * minSubnormal;

export class Tape {
  readonly target: Target;
  /**
   * Whether devices are taken for whatever the document permits: the same operation twice has two results, a quotient of 0 is a subnormal number within its figure, a constant is
   * either neighbour where rounding is not to nearest, and what overflows there stops at the largest number.
   */
  private readonly byLetter: boolean;
  /** How far the neighbours of a constant lie below and above what is held of it. */
  private readonly neighbours = new Map<Id, readonly [below: number, above: number]>();
  readonly values: number[] = [];
  private readonly kinds: Kind[] = [];
  private readonly operands: (readonly [Id, Id, Id])[] = [];
  /** What no error can change: inputs, e⁰ where it is promised, what float32 holds exactly of two inputs. */
  private readonly isExact: boolean[] = [];

  private readonly constants = new Map<number, Id>();
  private readonly known = Object.fromEntries(kinds.map((kind) => [kind, new Map<string | number, Id>()])) as Record<
    Kind,
    Map<string | number, Id>
  >;

  constructor(target: Target, byLetter = false) {
    this.target = target;
    this.byLetter = byLetter;
  }

  get length(): number {
    return this.values.length;
  }

  /** A number that float32 holds. */
  leaf(x: number): Id {
    this.kinds.push("leaf");
    this.operands.push([0, 0, 0]);
    this.isExact.push(true);
    return this.values.push(x) - 1;
  }

  leaves(data: ArrayLike<number>): Id[] {
    return Array.from(data, (x) => this.leaf(x));
  }

  /** A constant of the formula, rounded to float32; the same constant is one node. */
  constant(x: number): Id {
    const known = this.constants.get(x);
    if (known !== undefined) return known;
    const nearest = Math.fround(x);
    const id = this.leaf(nearest);
    this.constants.set(x, id);
    if (this.byLetter && this.target.u > dtypes.float32.u && nearest !== x) {
      const step = ulp(x, dtypes.float32);
      this.neighbours.set(id, nearest < x ? [0, step] : [step, 0]);
      this.isExact[id] = false;
    }
    return id;
  }

  add(a: Id, b: Id): Id {
    return this.push("add", a, b, 0);
  }

  sub(a: Id, b: Id): Id {
    return this.push("sub", a, b, 0);
  }

  mul(a: Id, b: Id): Id {
    return this.push("mul", a, b, 0);
  }

  /** a · b + c with one rounding. */
  fma(a: Id, b: Id, c: Id): Id {
    return this.push("fma", a, b, c);
  }

  div(a: Id, b: Id): Id {
    return this.push("divide", a, b, 0);
  }

  call(name: Unary, a: Id): Id {
    return this.push(name, a, 0, 0);
  }

  /** The larger of two, an operand itself. */
  max(a: Id, b: Id): Id {
    return this.values[a] >= this.values[b] ? a : b;
  }

  /** Σ, one after another. */
  chain(terms: readonly Id[]): Id {
    return terms.length === 0 ? this.leaf(0) : terms.reduce((total, term) => this.add(total, term));
  }

  /** The same operation on the same operands is one node: it has the same result. */
  private push(kind: Kind, a: Id, b: Id, c: Id): Id {
    const seen = this.known[kind];
    const key = kind === "fma" ? `${a} ${b} ${c}` : a * 2 ** 25 + b;
    const known = seen.get(key);
    if (known !== undefined && !this.byLetter) return known;
    const value = this.evaluate(kind, a, b, c, this.values);
    const id = this.values.push(value) - 1;
    this.kinds.push(kind);
    this.operands.push([a, b, c]);
    this.isExact.push(this.cannotErr(kind, a, b, c, value));
    seen.set(key, id);
    return id;
  }

  private evaluate(kind: Kind, a: Id, b: Id, c: Id, v: ArrayLike<number>): number {
    const value = resultOf(kind, v[a], v[b], v[c]);
    const stops = this.byLetter && this.target.u > dtypes.float32.u;
    return stops && Math.abs(value) > MAX ? Math.sign(value) * MAX : value;
  }

  /** Zero terms and factors, 1 as a factor, e⁰, and results of exact operands that float32 holds. */
  private cannotErr(kind: Kind, a: Id, b: Id, c: Id, value: number): boolean {
    const [x, y] = [this.values[a], this.values[b]];
    const exact = this.isExact;
    switch (kind) {
      case "add":
        return (x === 0 && exact[a]) || (y === 0 && exact[b]) || (exact[a] && exact[b] && holds(value, x, y));
      case "sub":
        return a === b || (y === 0 && exact[b]) || (exact[a] && exact[b] && holds(value, x, -y));
      case "mul":
        return (
          (exact[a] && isScale(x, value)) ||
          (exact[b] && isScale(y, value)) ||
          (exact[a] && exact[b] && holdsProduct(value, x, y))
        );
      case "fma":
        return value === 0 && exact[a] && exact[b] && exact[c] && (x === 0 || y === 0);
      case "divide":
        return (x === 0 && !this.byLetter) || (exact[b] && isScale(y, value) && this.dividesExactly());
      case "exp":
      case "exp2":
        return x === 0 && exact[a] && this.target.expOfZero === true;
      default:
        return false;
    }
  }

  /** Whether a quotient that float32 holds comes out exactly: where it is correctly rounded. */
  private dividesExactly(): boolean {
    return figure(this.target, "divide", 1, 1) <= ulp(1, dtypes.float32) / 2;
  }

  /** What operation i may err by if its exact result on its operands is `value`. */
  private tolerance(i: Id, value: number, v: ArrayLike<number>): number {
    const kind = this.kinds[i];
    const [a, b] = this.operands[i];
    const { u, flushes } = this.target;
    if (this.isExact[i]) return 0;
    const magnitude = Math.abs(value);
    const lost = flushes && magnitude < minNormal ? magnitude : 0;
    switch (kind) {
      case "leaf":
        return Math.max(...(this.neighbours.get(i) ?? [0]));
      case "add":
      case "sub":
        return Math.max(magnitude < minNormal ? 0 : u * magnitude, lost);
      case "mul":
      case "fma":
        return Math.max(magnitude < minNormal ? u * 2 ** 24 * minSubnormal * 0.5 : u * magnitude, lost);
      default:
        if (kind === "divide" && this.isOfZero(value)) return steps(figure(this.target, kind, v[b], 0));
        return Math.max(figure(this.target, kind, kind === "divide" ? this.divisor(v[b]) : v[a], value), lost);
    }
  }

  /** Whether a quotient is 0 or as good as that, and may yet be a subnormal number. */
  private isOfZero(quotient: number): boolean {
    return this.byLetter && Math.abs(quotient) < minSubnormal;
  }

  /** A quotient by more than 2¹²⁶, of which some documents promise nothing, is there taken for what it is elsewhere. */
  private divisor(x: number): number {
    return this.byLetter ? Math.min(Math.abs(x), MOST_DIVISOR) : x;
  }

  /** ∂(node `of`) / ∂(each node). */
  private slopes(of: Id): Float64Array {
    const v = this.values;
    const slope = new Float64Array(of + 1);
    slope[of] = 1;
    for (let i = of; i >= 0; i--) {
      const s = slope[i];
      if (s === 0) continue;
      const [a, b, c] = this.operands[i];
      switch (this.kinds[i]) {
        case "leaf":
          break;
        case "add":
          slope[a] += s;
          slope[b] += s;
          break;
        case "sub":
          slope[a] += s;
          slope[b] -= s;
          break;
        case "fma":
          slope[c] += s;
          slope[a] += s * v[b];
          slope[b] += s * v[a];
          break;
        case "mul":
          slope[a] += s * v[b];
          slope[b] += s * v[a];
          break;
        case "divide":
          slope[a] += s / v[b];
          slope[b] -= (s * v[i]) / v[b];
          break;
        case "sqrt":
          slope[a] += s / (2 * v[i]);
          break;
        case "inverseSqrt":
          slope[a] -= (s * v[i]) / (2 * v[a]);
          break;
        case "exp":
          slope[a] += s * v[i];
          break;
        case "exp2":
          slope[a] += s * v[i] * LN2;
          break;
        case "log":
          slope[a] += s / v[a];
          break;
        case "log2":
          slope[a] += s / (v[a] * LN2);
          break;
        case "tanh":
          slope[a] += s * (1 - v[i] * v[i]);
          break;
      }
    }
    return slope;
  }

  /** The largest error of node `of` from `truth`, to first order, and a permitted result that errs so. */
  worst(of: Id, truth: number): { firstOrder: number; reached: number; result: number } {
    const slope = this.slopes(of);
    let errors = 0;
    for (let i = 0; i <= of; i++) {
      if (slope[i] !== 0) errors += Math.abs(slope[i]) * this.tolerance(i, this.values[i], this.values);
    }
    const away = this.values[of] < truth ? -1 : 1;
    const results = [away, -away].map((side) => this.replay(of, slope, side));
    const reached = results.map((result) => Math.abs(result - truth));
    const best = reached[0] >= reached[1] || Number.isNaN(reached[1]) ? 0 : 1;
    return { firstOrder: errors + Math.abs(this.values[of] - truth), reached: reached[best], result: results[best] };
  }

  /** Once more, each operation off by all that it may be, to the side that moves `of` to that side. */
  private replay(of: Id, slope: Float64Array, side: number): number {
    const v = new Float64Array(of + 1);
    for (let i = 0; i <= of; i++) {
      const to = Math.sign(slope[i]) * side;
      if (this.kinds[i] === "leaf") {
        const [below, above] = this.neighbours.get(i) ?? [0, 0];
        v[i] = this.values[i] + (to > 0 ? above : -below);
        continue;
      }
      const [a, b, c] = this.operands[i];
      const value = this.evaluate(this.kinds[i], a, b, c, v);
      if (slope[i] === 0 || this.isExact[i]) {
        v[i] = value;
        continue;
      }
      const tolerance = this.tolerance(i, value, v);
      // What is flushed becomes zero and nothing else.
      const isOfZero = this.kinds[i] === "divide" && this.isOfZero(value);
      const isLoss = this.target.flushes && Math.abs(value) < minNormal && !isOfZero;
      v[i] = isLoss ? (Math.sign(value) * to < 0 ? 0 : value) : value + to * tolerance;
      if (Math.abs(v[i]) > MAX && Math.abs(value) <= MAX) v[i] = value; // it stops at the largest number
    }
    return v[of];
  }
}
