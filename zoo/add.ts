// Correct additions: there is one way.
import { type Evaluation, output } from "./evaluation.ts";

export const add: readonly Evaluation[] = [
  {
    op: "add.forward",
    variant: "a + b",
    evaluate: (f, { a, b }) => {
      const y = output(a.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = f.add(a.data[i], b.data[i]);
      return { y };
    },
  },
];
