// All lines of the confusion matrix.
import type { Line } from "./line.ts";
import { products } from "./products.ts";

export const lines: readonly Line[] = [...products];
