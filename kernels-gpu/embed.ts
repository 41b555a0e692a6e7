// Generates the module that replaces texts.ts in the build: the same function, with every WGSL file's text in it.
import { readdirSync, readFileSync } from "node:fs";

/** The text of the module. */
export function embeddedTexts(): string {
  const folder = new URL(".", import.meta.url);
  const texts = readdirSync(folder)
    .filter((name) => name.endsWith(".wgsl"))
    .toSorted()
    .map((name) => [name.slice(0, -".wgsl".length), readFileSync(new URL(name, folder), "utf8")]);
  return `// Written by the build: the texts of this folder's WGSL files.
const texts = ${JSON.stringify(Object.fromEntries(texts), null, 2)};
export function wgsl(id) {
  return { id, source: texts[id] };
}
`;
}
