// The sums whose order is revealed, and why those of other names are not.
import { tensor } from "../../reference/tensor.ts";
import { size, type Sizes } from "../case.ts";
import { attentionLayouts } from "./attention-layouts.ts";
import { alike, constant, given, inUnits, type Layout, LENGTH, lengths, nearWhole } from "./layout.ts";
import { factorsOf, firstsOf, MINUS, PLUS, secondOf, UNIT, unitOf } from "./marks.ts";

const SAVED = "a kernel that reads what the forward left has no such sum";
const IN_EXPONENT = "it shows through an exponential alone";

/** A row's number, from a place of the row whose own term is no M. */
const inRow =
  (output: string, sumIn: (x: number, mark: number, C: number) => number): Layout["read"] =>
  (outputs, { marks, scale }) => {
    const { data, shape } = outputs[output];
    const [R, C] = shape;
    const c = marks.findIndex((mark) => mark !== PLUS && mark !== MINUS);
    return Float64Array.from({ length: R }, (_, r) =>
      nearWhole(sumIn(data[r * C + c] / unitOf(scale), marks[c] === UNIT ? 1 : 0, C)),
    );
  };
const firstOfRows = (sizes: Sizes): number[] =>
  Array.from({ length: size(sizes, "R") }, (_, r) => r * size(sizes, "C"));

/** y = x · wᵀ: every row of x has the one factors, every row of w the others. */
const linearForward: Layout = {
  op: "linear.forward",
  sum: "y",
  output: "y",
  factors: 2,
  sizes: { R: 37, O: 35, C: LENGTH },
  terms: (sizes) => size(sizes, "C"),
  problem: (marks, scale, sizes) => {
    const [R, O, C] = lengths(sizes, "R", "O", "C");
    const { first, second } = factorsOf(marks, scale);
    return { inputs: { x: alike(R, C, "rows", first), w: alike(O, C, "rows", second) }, scalars: {} };
  },
  lanes: {
    count: (sizes) => size(sizes, "O"),
    problem: (marks, scale, sizes) => {
      const [R, O, C] = lengths(sizes, "R", "O", "C");
      return {
        inputs: { x: constant([R, C], secondOf(scale)), w: given(O, C, "rows", firstsOf(marks, scale)) },
        scalars: {},
      };
    },
    of: (k, sizes) => k % size(sizes, "O"),
  },
  read: inUnits("y"),
};

const linearInput: Layout = {
  op: "linear.backward",
  sum: "dx",
  output: "dx",
  factors: 2,
  sizes: { R: 37, O: LENGTH, C: 35 },
  terms: (sizes) => size(sizes, "O"),
  problem: (marks, scale, sizes) => {
    const [R, O, C] = lengths(sizes, "R", "O", "C");
    const { first, second } = factorsOf(marks, scale);
    return {
      inputs: { dy: alike(R, O, "rows", first), x: constant([R, C], 0), w: alike(O, C, "columns", second) },
      scalars: {},
    };
  },
  lanes: {
    count: (sizes) => size(sizes, "C"),
    problem: (marks, scale, sizes) => {
      const [R, O, C] = lengths(sizes, "R", "O", "C");
      const w = given(O, C, "columns", firstsOf(marks, scale));
      return { inputs: { dy: constant([R, O], secondOf(scale)), x: constant([R, C], 0), w }, scalars: {} };
    },
    of: (k, sizes) => k % size(sizes, "C"),
  },
  read: inUnits("dx"),
};

const linearWeight: Layout = {
  op: "linear.backward",
  sum: "dw",
  output: "dw",
  factors: 2,
  sizes: { R: LENGTH, O: 37, C: 35 },
  terms: (sizes) => size(sizes, "R"),
  problem: (marks, scale, sizes) => {
    const [R, O, C] = lengths(sizes, "R", "O", "C");
    const { first, second } = factorsOf(marks, scale);
    return {
      inputs: { dy: alike(R, O, "columns", first), x: alike(R, C, "columns", second), w: constant([O, C], 0) },
      scalars: {},
    };
  },
  lanes: {
    count: (sizes) => size(sizes, "C"),
    problem: (marks, scale, sizes) => {
      const [R, O, C] = lengths(sizes, "R", "O", "C");
      const x = given(R, C, "columns", firstsOf(marks, scale));
      return { inputs: { dy: constant([R, O], secondOf(scale)), x, w: constant([O, C], 0) }, scalars: {} };
    },
    of: (k, sizes) => k % size(sizes, "C"),
  },
  read: inUnits("dw"),
};

/** All rows have one token. */
const embeddingWeight: Layout = {
  op: "embedding.backward",
  sum: "dw",
  output: "dw",
  factors: 1,
  sizes: { R: LENGTH, V: 3, C: 5 },
  terms: (sizes) => size(sizes, "R"),
  problem: (marks, scale, sizes) => {
    const [R, V, C] = lengths(sizes, "R", "V", "C");
    const { first } = factorsOf(marks, scale);
    const tokens = { data: new Int32Array(R), shape: [R] };
    return { inputs: { dy: alike(R, C, "columns", first), tokens }, scalars: { V } };
  },
  lanes: {
    count: (sizes) => size(sizes, "C"),
    problem: (marks, scale, sizes) => {
      const [R, V, C] = lengths(sizes, "R", "V", "C");
      const tokens = { data: new Int32Array(R), shape: [R] };
      return { inputs: { dy: given(R, C, "columns", firstsOf(marks, scale)), tokens }, scalars: { V } };
    },
    of: (k) => k,
  },
  places: (sizes) => Array.from({ length: size(sizes, "C") }, (_, c) => c),
  read: inUnits("dw", (sizes) => Array.from({ length: size(sizes, "C") }, (_, c) => c)),
};

/** x is 1, and eps is lost next to 1: so rstd is 1, saved or computed again, and n is 1. */
const EPS = 1e-12;
const ones = (R: number, C: number) => ({ x: constant([R, C], 1), rstd: constant([R], 1) });

const normWeight: Layout = {
  op: "rmsnorm.backward",
  sum: "dw",
  output: "dw",
  factors: 1,
  sizes: { R: LENGTH, C: 32 },
  terms: (sizes) => size(sizes, "R"),
  problem: (marks, scale, sizes) => {
    const [R, C] = lengths(sizes, "R", "C");
    const { first } = factorsOf(marks, scale);
    const inputs = { ...ones(R, C), dy: alike(R, C, "columns", first), w: constant([C], 1) };
    return { inputs, scalars: { eps: EPS } };
  },
  lanes: {
    count: (sizes) => size(sizes, "C"),
    problem: (marks, scale, sizes) => {
      const [R, C] = lengths(sizes, "R", "C");
      const dy = given(R, C, "columns", firstsOf(marks, scale));
      return { inputs: { ...ones(R, C), dy, w: constant([C], 1) }, scalars: { eps: EPS } };
    },
    of: (k) => k,
  },
  read: inUnits("dw"),
};

/** dx = dn − mean(dn · n) where rstd and n are 1. */
const normProjection: Layout = {
  op: "rmsnorm.backward",
  sum: "projection",
  output: "dx",
  factors: 2,
  sizes: { R: 5, C: LENGTH },
  terms: (sizes) => size(sizes, "C"),
  problem: (marks, scale, sizes) => {
    const [R, C] = lengths(sizes, "R", "C");
    const { first, second } = factorsOf(marks, scale);
    const inputs = { ...ones(R, C), dy: alike(R, C, "rows", first), w: tensor(second, [C]) };
    return { inputs, scalars: { eps: EPS } };
  },
  places: firstOfRows,
  read: inRow("dx", (x, own, C) => C * (own - x)),
};

/** dx = y · (dy − D) with y = 1 at units. */
const softmaxGradient: Layout = {
  op: "softmax.backward",
  sum: "D",
  output: "dx",
  factors: 1,
  sizes: { R: 5, C: LENGTH },
  terms: (sizes) => size(sizes, "C"),
  problem: (marks, scale, sizes) => {
    const [R, C] = lengths(sizes, "R", "C");
    const { first } = factorsOf(marks, scale);
    return { inputs: { dy: alike(R, C, "rows", first), y: constant([R, C], 1) }, scalars: {} };
  },
  places: firstOfRows,
  read: inRow("dx", (x, own) => own - x),
};

export const layouts: readonly Layout[] = [
  linearForward,
  linearInput,
  linearWeight,
  embeddingWeight,
  normWeight,
  normProjection,
  softmaxGradient,
  ...attentionLayouts,
];

/** Why the order of a sum is not revealed, by op and sum. */
export const notRevealed: Readonly<Record<string, string>> = {
  "rmsnorm.backward squares": SAVED,
  "cross-entropy.forward loss": "its terms are logarithms, so none can be small enough next to another",
  "cross-entropy.backward exponentials": SAVED,
  "attention.backward weights": SAVED,
  "attention.backward scores": IN_EXPONENT,
  "attention.backward y": "a kernel that reads y as it was saved has no such sum",
  "attention.backward D": "some kernels take it over HS and others over keys",
};
