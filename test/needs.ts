// Needs of tests that a machine may lack. A test that is skipped for one says so in its name, and the run lists it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Need {
  /** Whether the test is to be skipped. */
  readonly absent: boolean;
  /** Empty, or the reason to add to the test's name. */
  readonly note: string;
}

const root = fileURLToPath(new URL("../../shared/", import.meta.url));

/**
 * A file or folder of ../shared: real checkpoints, texts and recorded steps, which are not committed. Where ../shared exists, or
 * TOUCHSTONE_REQUIRE_DATA is 1, missing data throws; TOUCHSTONE_REQUIRE_DATA=0 skips in any case.
 */
export function sharedData(path: string): Need & { readonly path: string } {
  const file = join(root, path);
  if (existsSync(file)) return { path: file, absent: false, note: "" };
  const required = process.env["TOUCHSTONE_REQUIRE_DATA"] ?? (existsSync(root) ? "1" : "0");
  if (required === "1") {
    throw new Error(
      `../shared/${path} is absent, expected the tests' data (TOUCHSTONE_REQUIRE_DATA=0 skips these tests)`,
    );
  }
  return { path: file, absent: true, note: ` (skipped: ../shared/${path} is absent)` };
}

/** A program on the path. */
export function program(name: string): Need {
  const absent = spawnSync(name, ["--version"], { stdio: "ignore" }).status !== 0;
  return { absent, note: absent ? ` (skipped: there is no ${name})` : "" };
}
