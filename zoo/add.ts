// Correct additions: there is one way.
import { type EvaluationOf, output } from "./evaluation.ts";

export const forward: readonly EvaluationOf<"add.forward">[] = [
  {
    op: "add.forward",
    covers: ["sum"],
    evaluate: (f, { a, b }) => {
      const y = output(a.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = f.add(a.data[i], b.data[i]);
      return { y };
    },
  },
];
