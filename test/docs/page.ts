// A page of documentation as sections of figures: the numbers with a decimal point or a power of ten, in their order.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (n: number): string =>
  (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => superscripts[Number(digit)]).join("");

/** 2ⁿ as the pages print it. */
export const power = (n: number): string => `2${raised(n)}`;

/** A number as the pages print it: 1.589, −0.2649, 2.384·10⁻⁷. */
export function figure(x: number, digits = 4): string {
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  const scientific = Number(exponent) < -2 || Number(exponent) >= digits;
  return (scientific ? `${mantissa}·10${raised(Number(exponent))}` : x.toPrecision(digits)).replace("-", "−");
}

/** The texts of a page's sections by their headings of the second level. */
export function sectionsOf(path: string): Map<string, string> {
  const [, ...sections] = readFileSync(`${root}${path}`, "utf8").split(/^## /m);
  return new Map(
    sections.map((text) => {
      const end = text.indexOf("\n");
      return [text.slice(0, end), text.slice(end)];
    }),
  );
}

/** The figures of a text in their order. Numbers of sections, and whole numbers, are no figures. */
export function figuresOf(text: string): string[] {
  const withoutReferences = text
    .replaceAll(/\b(sections?|Guide|lemma) [\d.]+\d/g, "")
    .replaceAll(/`[^`\n]*\/[^`\n]*`/g, "");
  return withoutReferences.match(/−?\d+\.\d+(·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?/g) ?? [];
}
