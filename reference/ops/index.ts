// The table of ops, one row for each direction: what a judge, a listing or a driver needs to know of it.
import type { Errors } from "../bounds.ts";
import type { Operation, StorageOf } from "../operation.ts";
import type { Target } from "../targets.ts";
import type { Floats } from "../tensor.ts";
import * as linearBound from "./linear.bound.ts";
import * as linear from "./linear.ts";
import * as swigluBound from "./swiglu.bound.ts";
import * as swiglu from "./swiglu.ts";

type Signature = Omit<Operation, "evaluate" | "bound" | "integers" | "scalars" | "stores" | "exact" | "wide"> &
  Partial<Pick<Operation, "integers" | "scalars" | "stores" | "exact" | "wide">>;
// eslint-disable-next-line typescript/no-explicit-any -- arguments go by position, in the order of the signature's names
type Positional = (...args: any[]) => any;

/** An op whose function takes its inputs, then its scalars, in the order of the signature; the bound, then target and errors. */
function row(signature: Signature, op: Positional, bound: Positional): Operation {
  const { integers = [], scalars: kinds = {}, stores = {}, exact = [], wide = [] } = signature;
  const positional = (inputs: object, scalars: object): unknown[] => [
    ...Object.keys(signature.inputs).map((name) => inputs[name as never]),
    ...Object.keys(kinds).map((name) => scalars[name as never]),
  ];
  return {
    ...signature,
    integers,
    scalars: kinds,
    stores,
    exact,
    wide,
    evaluate: <P extends Floats>(inputs: object, scalars: object, Storage: StorageOf<P>) =>
      op(...positional(inputs, scalars), Storage),
    bound: (inputs, scalars, target: Target, errors: Errors<string> = {}) =>
      bound(...positional(inputs, scalars), target, errors),
  };
}

const rows: readonly Operation[] = [
  row(
    {
      name: "linear.forward",
      summary: "y = x · wᵀ",
      inputs: { x: "R,C", w: "O,C" },
      outputs: { y: "R,O" },
      exact: ["y"],
    },
    linear.forward,
    linearBound.forward,
  ),
  row(
    {
      name: "linear.backward",
      summary: "dx = dy · w,  dw = dyᵀ · x",
      inputs: { dy: "R,O", x: "R,C", w: "O,C" },
      outputs: { dx: "R,C", dw: "O,C" },
      exact: ["dx", "dw"],
    },
    linear.backward,
    linearBound.backward,
  ),
  row(
    {
      name: "swiglu.forward",
      summary: "y = silu(gate) · up,  silu(z) = z / (1 + e^−z)",
      inputs: { gate: "R,F", up: "R,F" },
      outputs: { y: "R,F" },
    },
    swiglu.forward,
    swigluBound.forward,
  ),
  row(
    {
      name: "swiglu.backward",
      summary: "dgate = dy · up · σ(gate) · (1 + gate · (1 − σ(gate))),  dup = dy · silu(gate)",
      inputs: { dy: "R,F", gate: "R,F", up: "R,F" },
      outputs: { dgate: "R,F", dup: "R,F" },
    },
    swiglu.backward,
    swigluBound.backward,
  ),
];

/** Every op and direction, by a name such as "swiglu.forward". */
export const operations: ReadonlyMap<string, Operation> = new Map(rows.map((operation) => [operation.name, operation]));
