// The entries that are for browsers, bundled for one: no built-in module of Node is in them, and they stay small.
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { embeddedTexts } from "../../kernels-gpu/embed.ts";

/**
 * Bytes of the judge and the reference, minified and gzipped, with fast-check in them. The limit rises with a reason, which
 * stands here: maps of bits, and truth and bound at a sample, are part of the judge for browsers as well, and so is the
 * search that takes verdicts from threads, though not the threads; and refusals of sizes and misspelt names say what would do;
 * and a kernel may declare its order of summation; and power, elements that cancel and improbable errors are part of its verdict,
 * and each judged output is looked at for low precision;
 * and targets that compute in float16 or state further functions;
 * and what is declared as stored low is rounded in the truth, low factors are looked for in every way, and blocks of a sum have bounds;
 * and a kernel may leave out outputs, and refuse cases, of which it is known when it does so to hide something.
 */
const MOST_BYTES = 161_000;

async function bundled(entry: string, external: string[] = []): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../${entry}.ts`, import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser", // which has no modules of Node: an import of one does not resolve
    external,
    write: false,
    logLevel: "silent",
    plugins: [
      {
        name: "the texts of kernels, as the build writes them",
        setup: ({ onLoad }) => onLoad({ filter: /kernels-gpu.texts\.ts$/ }, () => ({ contents: embeddedTexts() })),
      },
    ],
  });
  return outputFiles[0]!.text;
}

const sizes = new Map<string, number>();

describe.each(["index", "vitest", "webgpu"])("%s.ts", (entry) => {
  test("holds nothing of Node", async () => {
    const text = await bundled(entry);
    expect(text).not.toMatch(/["']node:/);
    expect(text).not.toMatch(/\brequire\(/);
    const bytes = gzipSync(text).length;
    sizes.set(entry, bytes);
    process.stdout.write(`${entry}.ts: ${text.length} bytes minified, ${bytes} gzipped\n`);
  });
});

test("judge and reference are small", async () => {
  const without = gzipSync(await bundled("index", ["fast-check"])).length;
  process.stdout.write(`index.ts without fast-check: ${without} bytes gzipped\n`);
  expect(sizes.get("index")).toBeGreaterThan(without);
  expect(sizes.get("index")).toBeLessThanOrEqual(MOST_BYTES);
});

test("what needs Node does not bundle", async () => {
  await expect(bundled("node")).rejects.toThrow(/Could not resolve "node:/);
});
