// Correct additions: there is one way.
import { type Animal, output } from "./animal.ts";

export const add: readonly Animal[] = [
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
