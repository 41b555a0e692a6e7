// All lines of the confusion matrix.
import type { Line } from "./line.ts";
import { attention } from "./attention.ts";
import { elementwise } from "./elementwise.ts";
import { products } from "./products.ts";
import { sixteen } from "./sixteen.ts";

export const lines: readonly Line[] = [...products, ...attention, ...elementwise, ...sixteen];
