// Whatever a file, a line or an option holds, it is taken or refused in one line. `npm run campaign:fuzz` tries many more inputs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { byteChanges, changedBytes, changedJson, jsonChanges } from "./mutations.ts";
import { complaintAbout } from "./oracle.ts";
import { type Seed, seedsIn } from "./seeds.ts";

/** Inputs of all seeds together; a campaign asks for more, from another random seed. */
const INPUTS = Number(process.env.TOUCHSTONE_FUZZ_INPUTS ?? "2200");
const SEED = Number(process.env.TOUCHSTONE_FUZZ_SEED ?? "20230227");
/** Where a campaign keeps an input that was not refused as it should be. */
const KEPT = process.env.TOUCHSTONE_FUZZ_KEEP;
/** One small input may take no more memory than this. */
const MOST_BYTES = 2 ** 29;

const folder = mkdtempSync(join(tmpdir(), "touchstone-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const seeds = seedsIn(folder);
const each = Math.ceil(INPUTS / seeds.length);

/** Bytes that a seed becomes. */
function inputsOf({ from }: Seed): fc.Arbitrary<Uint8Array> {
  if ("bytes" in from) return byteChanges.map((changes) => changedBytes(from.bytes, changes));
  const structured = jsonChanges.map((changes) => Buffer.from(changedJson(from.json, changes)));
  const plain = Buffer.from(JSON.stringify(from.json));
  return fc.oneof(
    { weight: 4, arbitrary: structured },
    { weight: 1, arbitrary: byteChanges.map((changes) => changedBytes(plain, changes)) },
  );
}

/** What is wrong with how an input was read. */
async function faultOf({ read }: Seed, bytes: Uint8Array): Promise<string | undefined> {
  const before = process.memoryUsage.rss();
  try {
    await read(bytes);
  } catch (error) {
    const complaint = complaintAbout(error);
    if (complaint !== undefined) return complaint;
  }
  const grown = process.memoryUsage.rss() - before;
  return grown > MOST_BYTES ? `took ${grown} bytes of memory` : undefined;
}

test.each(seeds)("the seed of $name is read", async ({ name, from, read }) => {
  const reading = (async () => read("bytes" in from ? from.bytes : Buffer.from(JSON.stringify(from.json))))();
  if (name !== "a candidate's answer") await reading;
  else await expect(reading).rejects.toThrow(/^said: no such op$/);
});

describe("what is made of it is read, or refused in one line", () => {
  test.each(seeds)("$name", { timeout: 3_600_000 }, async (seed) => {
    const property = fc.asyncProperty(inputsOf(seed), async (bytes) => {
      const fault = await faultOf(seed, bytes);
      if (fault === undefined) return;
      if (KEPT !== undefined) writeFileSync(join(KEPT, seed.name.replaceAll(/\W+/g, "-")), bytes);
      expect.fail(`${fault}\ninput: ${Buffer.from(bytes.subarray(0, 2000)).toString("latin1")}`);
    });
    await fc.assert(property, { numRuns: each, seed: SEED });
  });
});
