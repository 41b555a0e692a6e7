import fs from "node:fs";
import { describe, expect, test } from "vitest";
import { openCheckpoint, writeCheckpoint } from "../../../formats/checkpoint.ts";
import { parseConfig } from "../../../formats/huggingface-config.ts";
import { openSafetensors, writeSafetensors } from "../../../formats/safetensors.ts";
import * as rope from "../../../reference/ops/rope.ts";
import * as ropeTable from "../../../reference/ops/rope-table.ts";
import * as linear from "../../../reference/ops/linear.ts";
import { initialWeights } from "../../../reference/weights.ts";
import { type Tensor, view } from "../../../reference/tensor.ts";
import { randomWeights, refusal, scratch, small } from "./files.ts";

const at = scratch();

/** LLaMA's configuration as transformers writes it. */
const json = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  vocab_size: 5,
};
const parse = (change: Record<string, unknown> = {}) => parseConfig("config.json", { ...json, ...change });

describe("config.json", () => {
  test("transformers' defaults stand where a field is missing or null", () => {
    const plain = { ...small, nKvHeads: 2, normEps: 1e-6, ropeTheta: 10_000, maxSeqLen: 2048 };
    expect(parse()).toEqual(plain);
    expect(parse({ num_key_value_heads: null, rope_scaling: null, head_dim: null })).toEqual(plain);
    expect(parse({ num_key_value_heads: 1, rms_norm_eps: 1e-5, max_position_embeddings: 6 })).toEqual(small);
    expect(parse({ tie_word_embeddings: true }).tiedEmbeddings).toBe(true);
  });

  test("RoPE's base stands in rope_theta or in rope_parameters", () => {
    expect(parse({ rope_theta: 5e5 }).ropeTheta).toBe(5e5);
    expect(parse({ rope_parameters: { rope_type: "default", rope_theta: 5e5 } }).ropeTheta).toBe(5e5);
    expect(parse({ rope_theta: 5e5, rope_parameters: { rope_theta: 5e5 } }).ropeTheta).toBe(5e5);
    expect(parse({ rope_scaling: { type: "default" } }).ropeTheta).toBe(10_000);
    expect(() => parse({ rope_theta: 1e4, rope_parameters: { rope_theta: 5e5 } })).toThrow(
      /rope_parameters\.rope_theta is 500000/,
    );
  });

  test("what does not change the mathematics is taken", () => {
    const harmless = {
      pretraining_tp: 4,
      attention_bias: false,
      mlp_bias: false,
      attention_dropout: 0,
      hidden_act: "silu",
      use_cache: true,
      torch_dtype: "float16",
      transformers_version: "4.31.0",
      pruned_heads: {},
      head_dim: 4,
      sliding_window: null,
    };
    expect(parse(harmless)).toEqual(parse());
  });

  test("what does is refused by name", () => {
    const refused: [string, Record<string, unknown>][] = [
      ["model_type", { model_type: "mistral" }],
      ["hidden_act", { hidden_act: "gelu" }],
      ["attention_bias", { attention_bias: true }],
      ["mlp_bias", { mlp_bias: true }],
      ["attention_dropout", { attention_dropout: 0.1 }],
      ["sliding_window", { sliding_window: 4096 }],
      ["partial_rotary_factor", { partial_rotary_factor: 0.5 }],
      ["quantization_config", { quantization_config: { quant_method: "gptq" } }],
      ["rope_scaling.type", { rope_scaling: { type: "linear", factor: 2 } }],
      ["rope_scaling.rope_type", { rope_scaling: { rope_type: "llama3", factor: 8 } }],
      ["rope_scaling.factor", { rope_scaling: { factor: 8 } }],
      ["rope_parameters.rope_type", { rope_parameters: { rope_type: "yarn", rope_theta: 1e4 } }],
      ["rope_parameters.full_attention", { rope_parameters: { full_attention: { rope_theta: 1e4 } } }],
      ["rope_scaling", { rope_scaling: "linear" }],
      ["head_dim", { head_dim: 8 }],
      ["tie_word_embeddings", { tie_word_embeddings: "yes" }],
      ["hidden_size", { hidden_size: "8" }],
      ["vocab_size", { vocab_size: undefined }],
      ["rope_theta", { rope_theta: "10000" }],
    ];
    for (const [field, change] of refused) expect(() => parse(change), field).toThrow(`config.json: ${field} is `);
    for (const value of [null, [], 7, "x"])
      expect(() => parseConfig("config.json", value)).toThrow(/expected an object/);
  });
});

describe("the folder", () => {
  /** The small model's folder with its tensors changed. */
  function changed(name: string, change: (tensors: Map<string, Tensor>) => void, config = small): string {
    writeCheckpoint(at(name), "huggingface", config, randomWeights(config));
    const file = openSafetensors(at(`${name}/model.safetensors`));
    const tensors = new Map(file.names.map((key) => [key, file.readFloats(key)]));
    file.close();
    change(tensors);
    writeSafetensors(at(`${name}/model.safetensors`), tensors);
    return at(name);
  }

  test("names are transformers', and transformers' halves turn as Meta's pairs do", async () => {
    const config = { ...small, dim: 24, nHeads: 2, nKvHeads: 1, vocabSize: 7 };
    const HS = 12;
    const weights = initialWeights(config, 1, Float64Array);
    const as32 = new Map(
      [...weights].map(([name, { data, shape }]) => [name, { data: Float32Array.from(data), shape }]),
    );
    writeCheckpoint(at("turn"), "huggingface", config, as32);
    const file = openSafetensors(at("turn/model.safetensors"));
    expect(file.metadata).toEqual({ format: "pt" });
    const theirs = file.readFloats("model.layers.1.self_attn.k_proj.weight");
    const ours = as32.get("layers.1.attention.wk.weight")!;
    // q and k enter the scores as products only. Each key, turned in its own layout, is the same numbers in another order:
    // element i of the first half there is element 2i here, of the second half 2i + 1.
    const x: Tensor<Float32Array> = { data: as32.get("tok_embeddings.weight")!.data, shape: [7, 24] };
    const { cos, sin } = ropeTable.forward(10_000, HS, 0, 7);
    const turn = (w: Tensor, layout: "adjacent" | "half-split") =>
      rope.forward(view(linear.forward(x, w as Tensor<Float32Array>).y, [1, 7, 1, HS]), cos, sin, layout).y.data;
    const [mine, his] = [turn(ours, "adjacent"), turn(theirs, "half-split")];
    for (let t = 0; t < 7; t++) {
      for (let i = 0; i < HS / 2; i++) {
        expect(his[t * HS + i]).toBe(mine[t * HS + 2 * i]);
        expect(his[t * HS + HS / 2 + i]).toBe(mine[t * HS + 2 * i + 1]);
      }
    }
    expect(his).not.toEqual(mine);
  });

  test("RoPE's frequencies are ignored, and a head where it is tied", async () => {
    const extra: Tensor = { data: Float32Array.of(1, 2), shape: [2] };
    const name = "model.layers.0.self_attn.rotary_emb.inv_freq";
    const tied = { ...small, tiedEmbeddings: true };
    const folder = changed("extra", (tensors) => tensors.set(name, extra).set("lm_head.weight", extra), tied);
    const { ignored, tensors } = await openCheckpoint(folder);
    expect(ignored).toEqual([name, "lm_head.weight"]);
    expect(tensors.map((t) => t.name)).not.toContain("output.weight");
  });

  test("a missing tensor, a bias, a wrong shape, a wrong dtype: named as transformers and as the table do", async () => {
    const refuse = (name: string, change: (tensors: Map<string, Tensor>) => void): Promise<string> =>
      refusal(() => openCheckpoint(changed(name, change)));
    expect(await refuse("no head", (t) => t.delete("lm_head.weight"))).toMatch(
      /"lm_head\.weight" \(output\.weight\) is missing, expected shape \[5,8\]/,
    );
    const bias = "model.layers.1.mlp.up_proj.bias";
    expect(await refuse("bias", (t) => t.set(bias, { data: new Float32Array(12), shape: [12] }))).toMatch(
      /"model\.layers\.1\.mlp\.up_proj\.bias" of shape \[12\] is not one of the weights/,
    );
    const q = "model.layers.0.self_attn.q_proj.weight";
    expect(await refuse("shape", (t) => t.set(q, { data: new Float32Array(32), shape: [4, 8] }))).toMatch(
      /q_proj\.weight" \(layers\.0\.attention\.wq\.weight\) has shape \[4,8\], expected \[8,8\]/,
    );
    expect(await refuse("dtype", (t) => t.set(q, { data: new Float64Array(64), shape: [8, 8] }))).toMatch(
      /q_proj\.weight" has dtype F64, expected one of F32, F16, BF16/,
    );
  });

  test("an index that leads outside the folder, or where a tensor is not, is refused", async () => {
    const shards = (name: string, change: (map: Record<string, unknown>) => unknown): Promise<string> => {
      writeCheckpoint(at(name), "huggingface", small, randomWeights(small), "float32", { shardBytes: 2000 });
      const path = at(`${name}/model.safetensors.index.json`);
      const { weight_map } = JSON.parse(fs.readFileSync(path, "utf8")) as { weight_map: Record<string, unknown> };
      fs.writeFileSync(path, JSON.stringify({ weight_map: change(weight_map) ?? weight_map }));
      return refusal(() => openCheckpoint(at(name)));
    };
    const norm = "model.norm.weight";
    expect(await shards("outside", (map) => void (map[norm] = "../x.safetensors"))).toMatch(
      /expected a \.safetensors file next to it/,
    );
    expect(await shards("number", (map) => void (map[norm] = 1))).toMatch(/"model\.norm\.weight" is in 1/);
    const first = "model-00001-of-00003.safetensors";
    expect(await shards("elsewhere", (map) => void (map[norm] = first))).toMatch(/has no tensor "model\.norm\.weight"/);
    expect(await shards("unnamed", (map) => void delete map[norm])).toMatch(
      /has a tensor "model\.norm\.weight", which/,
    );
    expect(await shards("list", () => [])).toMatch(/weight_map is an array/);
  });
});
