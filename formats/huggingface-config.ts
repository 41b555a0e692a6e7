// config.json of Hugging Face's LLaMA (transformers, LlamaConfig), from and to LlamaConfig. A field that changes the
// mathematics is either understood, neutral, or refused by name.
import type { LlamaConfig } from "../reference/config.ts";
import { FormatError } from "./error.ts";
import { describeJson, fieldsOf, isRecord, type JsonRecord } from "./json.ts";

/** Fields that must have one of these values, null, or be absent: with any other, the model computes something else. */
const neutral: Record<string, readonly unknown[]> = {
  model_type: ["llama"],
  hidden_act: ["silu", "swish"],
  attention_bias: [false],
  mlp_bias: [false],
  attention_dropout: [0],
  sliding_window: [],
  use_sliding_window: [false],
  partial_rotary_factor: [1],
  quantization_config: [],
  add_cross_attention: [false],
  is_encoder_decoder: [false],
  tie_encoder_decoder: [false],
  pruned_heads: [],
};

/** The defaults of transformers; sizes have none here, so that an empty file is not a 7B. */
const defaults = { max_position_embeddings: 2048, rms_norm_eps: 1e-6, rope_theta: 10_000 } as const;

/** The configuration of a parsed config.json. Throws FormatError naming the field. */
export function parseConfig(path: string, json: unknown): LlamaConfig {
  if (!isRecord(json)) throw new FormatError(path, `holds ${describeJson(json)}, expected an object`);
  for (const [field, allowed] of Object.entries(neutral)) {
    const value = json[field];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    if (isEmpty(value)) continue;
    const wanted = allowed.length > 0 ? allowed.map((v) => describeJson(v)).join(" or ") : "null";
    throw new FormatError(path, `${field} is ${describeJson(value)}, which is not supported, expected ${wanted}`);
  }
  const { number, flag } = fieldsOf(json, (field, is, expected) => {
    throw new FormatError(path, `${field} is ${is}, expected ${expected}`);
  });
  const dim = number("hidden_size");
  const nHeads = number("num_attention_heads");
  const head = number("head_dim", dim / nHeads);
  if (head !== dim / nHeads) {
    throw new FormatError(
      path,
      `head_dim is ${head}, which is not supported, expected hidden_size ÷ heads = ${dim / nHeads}`,
    );
  }
  return {
    dim,
    nLayers: number("num_hidden_layers"),
    nHeads,
    nKvHeads: number("num_key_value_heads", nHeads),
    ffnDim: number("intermediate_size"),
    vocabSize: number("vocab_size"),
    normEps: number("rms_norm_eps", defaults.rms_norm_eps),
    ropeTheta: theta(path, json),
    tiedEmbeddings: flag("tie_word_embeddings", false),
    maxSeqLen: number("max_position_embeddings", defaults.max_position_embeddings),
  };
}

/** The base, from rope_theta (until transformers 4) or rope_parameters (from 5 on). Anything but plain RoPE is refused. */
function theta(path: string, json: JsonRecord): number {
  const given = new Map<string, unknown>();
  if (json.rope_theta !== undefined && json.rope_theta !== null) given.set("rope_theta", json.rope_theta);
  for (const field of ["rope_scaling", "rope_parameters"]) {
    const value = json[field];
    if (value === undefined || value === null) continue;
    if (!isRecord(value)) throw new FormatError(path, `${field} is ${describeJson(value)}, expected an object or null`);
    for (const [key, setting] of Object.entries(value)) {
      const name = `${field}.${key}`;
      if (key === "rope_theta") given.set(name, setting);
      else if (key === "rope_type" || key === "type") {
        if (setting === "default") continue;
        throw new FormatError(path, `${name} is ${describeJson(setting)}, which is not supported, expected "default"`);
      } else if (key !== "partial_rotary_factor" || setting !== 1) {
        throw new FormatError(path, `${name} is ${describeJson(setting)}, which is not supported, expected plain RoPE`);
      }
    }
  }
  const bases = [...given];
  for (const [name, value] of bases) {
    if (typeof value !== "number") throw new FormatError(path, `${name} is ${describeJson(value)}, expected a number`);
    if (value !== bases[0][1]) {
      throw new FormatError(path, `${name} is ${value}, expected ${describeJson(bases[0][1])}, as ${bases[0][0]} says`);
    }
  }
  return bases.length > 0 ? (bases[0][1] as number) : defaults.rope_theta;
}

/** config.json's text. */
export function configText(config: LlamaConfig, torchDType: string): string {
  const json = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: config.dim,
    intermediate_size: config.ffnDim,
    num_hidden_layers: config.nLayers,
    num_attention_heads: config.nHeads,
    num_key_value_heads: config.nKvHeads,
    head_dim: config.dim / config.nHeads,
    vocab_size: config.vocabSize,
    max_position_embeddings: config.maxSeqLen,
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tiedEmbeddings,
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: torchDType,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
