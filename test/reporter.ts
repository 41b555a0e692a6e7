// Prints, after vitest's own report, each test that was skipped, with the reason, and the counts in one line.
import type { Reporter, TestModule, Vitest } from "vitest/node";

export default class implements Reporter {
  #filtered = false;

  onInit({ config }: Vitest): void {
    this.#filtered = config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const reasons: string[] = [];
    for (const module of modules) {
      // A file that does not load has no tests; it has failed all the same.
      if (module.state() === "failed" && module.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const result = test.result();
        counts[result.state]++;
        if (result.state !== "skipped" || this.#filtered) continue; // by the filter
        reasons.push(`skipped: ${module.relativeModuleId} > ${test.fullName}${result.note ? `: ${result.note}` : ""}`);
      }
    }
    const { passed, failed, skipped, pending } = counts;
    const lines = [...reasons, `${passed} passed, ${failed + pending} failed, ${skipped} skipped`];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}
