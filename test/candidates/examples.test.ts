// The ten-line kernels that the clients come with are right, in every dtype.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { startProcess } from "../../judge/candidates/process.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { campaign } from "../campaign.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { program } from "../needs.ts";

const client = (path: string): string => fileURLToPath(new URL(`../../golden/clients/${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "touchstone-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [python, compiler] = ["python3", "cc"].map(program);

async function failures(command: string, dtype: "float32" | "bfloat16" | "float16") {
  const operation = operations.get("rmsnorm.forward")!;
  const candidate = startProcess({ command, operation, dtype, timeout: 30_000 });
  try {
    const plan = { runs: 10, seed: 1 };
    const report = await campaign(
      { operation, spec: judgeRows.get(operation.name)! },
      candidate,
      { target: targets.ieee, dtype },
      plan,
    );
    expect(report.elements).toBeGreaterThan(0);
    return report.failures;
  } finally {
    await candidate.close?.();
  }
}

describe.each(["float32", "bfloat16", "float16"] as const)("%s", (dtype) => {
  test.skipIf(python.absent)(`the Python example${python.note}`, async () => {
    const mine = join(folder, "mine.py"); // not beside the client
    copyFileSync(client("python/rmsnorm.py"), mine);
    expect(await failures(`PYTHONDONTWRITEBYTECODE=1 python3 '${mine}'`, dtype)).toEqual([]);
  });

  test.skipIf(compiler.absent)(`the C example${compiler.note}`, async () => {
    const binary = join(folder, `rmsnorm-${dtype}`);
    execFileSync("cc", ["-std=c99", "-O2", "-o", binary, client("c/rmsnorm.c"), "-lm"]);
    expect(await failures(`'${binary}'`, dtype)).toEqual([]);
  });
});
