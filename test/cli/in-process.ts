// touchstone <command> in the process of the tests: no child takes time to start. Not for tests that run side by side.
import { vi } from "vitest";
import { run } from "../../cli/program.ts";

/** Runs a command line; `out` and `err` are what it wrote. */
export async function inProcess(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const texts = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text, ...rest: unknown[]) => {
      texts[name] += String(text);
      const written = rest.at(-1);
      if (typeof written === "function") written();
      return true;
    }),
  );
  try {
    return { code: await run(args), out: texts.stdout, err: texts.stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
