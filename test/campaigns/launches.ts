// `npm run campaign:launches [-- SHARE [LOOP]]` repeats what a long run repeats, and measures the memory of the process: 200,000
// launches on the software adapter, cases of functions and processes, steps, blame. Exit status 1 where one grows by more than 20 MB
// after its first quarter. SHARE of 1 or less does fewer.
import { paperHyperparameters } from "../../reference/training/hyperparameters.ts";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineOf } from "../../cli/engine.ts";
import { blameRecording } from "../../judge/blame-recording.ts";
import { campaign } from "../campaign.ts";
import { functionCandidate } from "../../judge/candidates/function.ts";
import { startProcess } from "../../judge/candidates/process.ts";
import { choose } from "../../judge/choose.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { forward as add } from "../../kernels-gpu/add.ts";
import { openDevice } from "../../kernels-gpu/device/dawn.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { deviceEngine } from "../../kernels-gpu/engine.ts";
import { presets } from "../../reference/config.ts";
import type { Inputs } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import type { OpenEngine } from "../../reference/training/engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { real } from "../../cli/numbers.ts";
import { script } from "../script.ts";
import { Argument } from "commander";

const LIMIT = 20e6;
const terms = { target: targets.ieee, dtype: "float32" } as const;
const here = fileURLToPath(import.meta.url);

/** Runs `count` times; calls `done` after each. */
type Loop = (count: number, done: () => void) => Promise<void>;

const sum = ({ a, b }: Inputs) => ({ y: { data: Float32Array.from(a.data, (x, i) => x + b.data[i]), shape: a.shape } });

async function repeat(count: number, done: () => void, once: () => Promise<unknown> | unknown): Promise<void> {
  for (let i = 0; i < count; i++) {
    await once();
    done();
  }
}

async function expectPass(once: Promise<{ readonly findings: readonly string[] }>): Promise<void> {
  const { findings } = await once;
  if (findings.length > 0) throw new Error(findings[0]);
}

const loops: Record<string, readonly [count: number, loop: Loop]> = {
  launches: [
    200_000,
    async (count, done) => {
      const device = await openDevice({ adapter: "software" });
      const x = { data: Float32Array.of(1, 2, 3, 4), shape: [4] };
      await repeat(count, done, () => launch(device, add, { a: x, b: x }, {}, { timeout: 60_000 }));
    },
  ],
  "cases of a function": [
    20_000,
    async (count, done) => {
      const [{ operation, spec }] = choose(["add.forward"]);
      const candidate = functionCandidate("sum", operation, sum);
      const problem = spec.build({ N: 64 }, "unit", 1, "float32");
      await repeat(count, done, () =>
        expectPass(judgeProblem(operation, candidate, { ...problem, profile: "unit" }, terms)),
      );
    },
  ],
  "drawn cases of a function": [
    80_000,
    async (count, done) => {
      const [chosen] = choose(["add.forward"]);
      const candidate = functionCandidate("sum", chosen.operation, sum);
      const { failures } = await campaign(chosen, candidate, terms, { runs: count, seed: 1, onCase: done });
      if (failures.length > 0) throw new Error(failures[0].message);
    },
  ],
  "cases of a process": [
    20_000,
    async (count, done) => {
      const folder = mkdtempSync(join(tmpdir(), "touchstone-campaign-"));
      const binary = join(folder, "kernel");
      const client = fileURLToPath(new URL("../../golden/clients/c", import.meta.url));
      const source = fileURLToPath(new URL("../candidates/kernel.c", import.meta.url));
      try {
        const { status, stderr } = spawnSync("cc", ["-O2", "-I", client, "-o", binary, source, "-lm"], {
          encoding: "utf8",
        });
        if (status !== 0) throw new Error(`cc: ${stderr}`);
        const [{ operation, spec }] = choose(["rmsnorm.forward"]);
        const candidate = startProcess({ command: `exec '${binary}'`, operation, dtype: "float32", timeout: 60_000 });
        const problem = spec.build({ R: 4, C: 16, eps: 1e-5 }, "unit", 1, "float32");
        await repeat(count, done, () =>
          expectPass(judgeProblem(operation, candidate, { ...problem, profile: "unit" }, terms)),
        );
        await candidate.close?.();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  ],
  "starts of a process": [
    4_000,
    async (count, done) => {
      const [{ operation, spec }] = choose(["add.forward"]);
      const problem = spec.build({ N: 4 }, "unit", 1, "float32");
      await repeat(count, done, async () => {
        const candidate = startProcess({ command: "exit 1", operation, dtype: "float32", timeout: 60_000 });
        await judgeProblem(operation, candidate, { ...problem, profile: "unit" }, terms);
        await candidate.close?.();
      });
    },
  ],
  "steps of the reference": [2_000, (count, done) => steps(count, done, engineOf("cpu"))],
  "steps on the software adapter": [
    2_000,
    async (count, done) => {
      const device = await openDevice({ adapter: "software" });
      await steps(count, done, async (config, state, given) => deviceEngine(device, config, state, given));
    },
  ],
  blame: [
    200,
    (count, done) => {
      const trace = fileURLToPath(new URL("../../../shared/traces/gqa.f32.safetensors", import.meta.url));
      return repeat(count, done, () => blameRecording(trace, undefined, () => targets.ieee));
    },
  ],
};

async function steps(count: number, done: () => void, open: OpenEngine): Promise<void> {
  const narrow = { dim: 16, nLayers: 1, nHeads: 2, nKvHeads: 2, hiddenDim: 32, vocabSize: 16, maxSeqLen: 8 };
  const config = { ...presets.tiny, ...narrow };
  const engine = await open(config, initialState(initialWeights(config, 1, Float32Array)));
  const tokens = { data: Int32Array.from({ length: 16 }, (_, i) => i), shape: [2, 8] };
  const h = {
    learningRate: 1e-3,
    warmupSteps: 10,
    totalSteps: count,
    ...paperHyperparameters,
  };
  let step = 0;
  await repeat(count, done, () => engine.step({ tokens, targets: tokens }, h, ++step));
  engine.close();
}

function residentBytes(): number {
  gc!();
  return process.memoryUsage.rss();
}

/** Runs one loop, in this process; prints how much it grew. */
async function measure(name: string, share: number): Promise<boolean> {
  const [whole, loop] = loops[name];
  const count = Math.ceil(whole * share);
  const start = performance.now();
  let i = 0;
  let before = 0;
  await loop(count, () => {
    if (++i === Math.ceil(count / 4)) before = residentBytes();
  });
  const after = residentBytes();
  const megabytes = (n: number): string => (n / 1e6).toFixed(1);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const flat = after - before <= LIMIT;
  const grown = `${megabytes(before)} MB after a quarter, ${megabytes(after)} MB at the end`;
  process.stdout.write(`${flat ? "flat" : "GROWS"}  ${i} ${name}: ${grown}, ${seconds} s\n`);
  return flat;
}

const [share, only] = script("campaign:launches", "The memory of a process that repeats what a long run repeats.")
  .argument("[share]", "how much of it, 1 or less", real(0, 1, true), 1)
  .addArgument(new Argument("[loop]", "one of them alone").choices(Object.keys(loops)))
  .parse().processedArgs as [number, keyof typeof loops | undefined];
if (only !== undefined) process.exit((await measure(only, share)) ? 0 : 1);

let failures = 0;
for (const name of Object.keys(loops)) {
  const { status } = spawnSync(process.execPath, ["--expose-gc", "--import", "tsx", here, String(share), name], {
    stdio: "inherit",
  });
  if (status !== 0) failures++;
}
process.stdout.write(`${Object.keys(loops).length - failures} flat, ${failures} not\n`);
process.exitCode = failures === 0 ? 0 : 1;
