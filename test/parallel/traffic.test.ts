// What the papers say is sent, against what the ranks sent.
import { describe, expect, test } from "vitest";
import type { LlamaConfig } from "../../reference/config.ts";
import type { CollectiveKind } from "../../reference/parallel/collectives.ts";
import type { Layout } from "../../reference/parallel/layout.ts";
import type { Traffic } from "../../reference/parallel/lockstep.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { parallelStep } from "../../reference/parallel/step.ts";
import type { ZeroStage } from "../../reference/planning/layout.ts";
import { countParameters } from "../../reference/weights.ts";
import { batchOf, hyperparameters, stateOf } from "./problem.ts";

/** Everything divides, so that every rank sends the same. */
const config: LlamaConfig = {
  dim: 16,
  nLayers: 3,
  nHeads: 4,
  nKvHeads: 4,
  ffnDim: 24,
  vocabSize: 32,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 8,
};
const [B, T] = [4, 8];
const BYTES = 4;

function sent(layout: Layout): readonly Traffic[] {
  const state = stateOf(config, 1, Float32Array);
  const problem = { config, layout, B, T, seed: 1, h: hyperparameters(true), t: 1 };
  return parallelStep(config, problem.h, 1, layout, shardState(config, layout, state), batchOf(problem)).traffic;
}

const bytes = (traffic: readonly Traffic[], rank: number, kind: CollectiveKind, what: RegExp): number =>
  traffic.filter((t) => t.rank === rank && t.kind === kind && what.test(t.what)).reduce((sum, t) => sum + t.bytes, 0);

describe("tensor parallelism", () => {
  const p = 4;
  const layer = BYTES * B * T * config.dim * ((p - 1) / p); // of one tensor of the residual stream, one way round
  const inLayers = /^activation(s|Gradients)\.layers/;

  test("two all-reduces forward and two backward a layer (Shoeybi et al. 2019, figure 4)", () => {
    const traffic = sent({ data: 1, tensor: p, sequence: false, zero: 0 });
    for (let rank = 0; rank < p; rank++) {
      expect(bytes(traffic, rank, "all-reduce", inLayers)).toBe(config.nLayers * 4 * 2 * layer);
      expect(bytes(traffic, rank, "all-gather", inLayers)).toBe(0);
      expect(bytes(traffic, rank, "reduce-scatter", inLayers)).toBe(0);
      expect(bytes(traffic, rank, "all-reduce", /^logits/)).toBe(3 * 2 * BYTES * B * T * ((p - 1) / p));
    }
  });

  test("with sequence parallelism four of each half, and two gathered again (Korthikanti et al. 2022, section 4.2.2)", () => {
    const traffic = sent({ data: 1, tensor: p, sequence: true, zero: 0 });
    for (let rank = 0; rank < p; rank++) {
      expect(bytes(traffic, rank, "reduce-scatter", inLayers)).toBe(config.nLayers * 4 * layer);
      expect(bytes(traffic, rank, "all-gather", inLayers)).toBe(config.nLayers * (4 + 2) * layer);
      expect(bytes(traffic, rank, "all-reduce", inLayers)).toBe(0);
      const gains = BYTES * config.dim * (2 * config.nLayers + 1);
      expect(bytes(traffic, rank, "all-reduce", /^gradients.*norm\.weight$/)).toBe(2 * ((p - 1) / p) * gains);
    }
  });
});

describe("ZeRO (Rajbhandari et al. 2020, section 7)", () => {
  const d = 4;
  const psi = BYTES * countParameters(config) * ((d - 1) / d);
  const table = BYTES * config.vocabSize * config.dim * ((d - 1) / d);
  // 2Ψ for stages 0 to 2; 3Ψ in stage 3, but for the embedding's table, which the backward does not use.
  const wanted: Record<ZeroStage, Partial<Record<CollectiveKind, number>>> = {
    0: { "all-reduce": 2 * psi },
    1: { "reduce-scatter": psi, "all-gather": psi },
    2: { "reduce-scatter": psi, "all-gather": psi },
    3: { "reduce-scatter": psi, "all-gather": 2 * psi - table },
  };
  test.each([0, 1, 2, 3] as const)("stage %i", (zero) => {
    const traffic = sent({ data: d, tensor: 1, sequence: false, zero });
    for (let rank = 0; rank < d; rank++) {
      for (const kind of ["all-reduce", "all-gather", "reduce-scatter"] as const) {
        expect(bytes(traffic, rank, kind, /^(weights|gradients)\./), kind).toBe(wanted[zero][kind] ?? 0);
      }
    }
  });

  test("stages 2 and 3 sum each gradient before the backward goes on, stages 0 and 1 after it", () => {
    const order = (zero: ZeroStage): [gradient: number, activation: number] => {
      const traffic = sent({ data: 2, tensor: 2, sequence: false, zero });
      const first = traffic.findIndex(({ what }) => what === "gradients.output.weight");
      return [first, traffic.findLastIndex(({ what }) => what.startsWith("activationGradients."))];
    };
    for (const zero of [0, 1] as const) expect(order(zero)[0]).toBeGreaterThan(order(zero)[1]);
    for (const zero of [2, 3] as const) expect(order(zero)[0]).toBeLessThan(order(zero)[1]);
  });
});
