import { defineConfig } from "vitest/config";
import ListSkipped from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", new ListSkipped()],
    // Processes, not threads: the Vulkan driver reads a process's environment.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
