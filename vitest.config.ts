import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import ListSkipped from "./test/reporter.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

export default defineConfig({
  // Examples import the package by its name, as its users do.
  resolve: {
    alias: [
      { find: /^touchstone-llama$/, replacement: `${here}index.ts` },
      { find: /^touchstone-llama\/(\w+)$/, replacement: `${here}$1.ts` },
    ],
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    reporters: ["default", new ListSkipped()],
    globalSetup: "./test/build.ts",
    // Processes, not threads: the Vulkan driver reads a process's environment.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
