// All lines of the confusion matrix.
import type { Line } from "./line.ts";
import { elementwise } from "./elementwise.ts";
import { products } from "./products.ts";

export const lines: readonly Line[] = [...products, ...elementwise];
