// The forward of step 0 as op instances, in the order of reference/model and of the loss behind it.
import { LAYOUT } from "../reference/model/block.ts";
import { IGNORE_INDEX } from "../reference/ops/cross-entropy.ts";
import type { Scalars } from "../reference/operation.ts";
import { flat, type Instance, type Recorded, streamName, type TraceShape, words } from "./instance.ts";

export function forwardInstances(shape: TraceShape, at?: string): Instance[] {
  const { T, R, C, F, V, HS, query, key, queries, keys, act, w, tokens, targets, table, head, eps, theta } = words(
    shape,
    at,
  );
  const list: Instance[] = [];
  type Part = Instance["inputs"];
  const op = (name: string, where: string, inputs: Part, outputs: Instance["outputs"], scalars: Scalars = {}): void =>
    void list.push({ op: name, where, inputs, scalars, outputs });
  const linear = (where: string, x: Recorded, weight: string, y: Recorded): void =>
    op("linear.forward", where, { x, w: w(weight) }, { y });
  const add = (where: string, a: Recorded, b: Recorded, y: Recorded): void =>
    op("add.forward", where, { a: flat(a), b: flat(b) }, { y: flat(y) });
  const norm = (where: string, x: Recorded, name: string): void =>
    op("rmsnorm.forward", where, { x, w: w(name) }, { y: act(name, R, C), rstd: act(`${name}.rstd`, R) }, { eps });
  const rope = (where: string, x: Recorded, y: Recorded): void =>
    op("rope.forward", where, { x, ...table }, { y }, { layout: LAYOUT });

  op("rope-table.forward", "rope", {}, table, { theta, HS, start: 0, T });
  op("embedding.forward", "embedding", { tokens, w: w("tok_embeddings") }, { y: act("embedding", R, C) });
  for (let i = 0; i < shape.config.nLayers; i++) {
    const layer = `layers.${i}`;
    const a = (name: string, ...axes: number[]): Recorded => act(`${layer}.${name}`, ...axes);
    const here = (what: string): string => `layer ${i}, ${what}`;
    const x = act(streamName(i), R, C);
    const attentionNorm = a("attention_norm", R, C);
    const [q, k, v] = [a("q", ...query), a("k", ...key), a("v", ...key)];
    const attended = { y: a("attention", ...query), lse: a("lse", query[0], query[2], query[1]) };
    const attentionResidual = a("attention_residual", R, C);
    const ffnNorm = a("ffn_norm", R, C);
    const [gate, up] = [a("gate", R, F), a("up", R, F)];

    norm(here("attention_norm"), x, `${layer}.attention_norm`);
    linear(here("wq"), attentionNorm, `${layer}.attention.wq`, a("q_projection", R, queries));
    linear(here("wk"), attentionNorm, `${layer}.attention.wk`, a("k_projection", R, keys));
    linear(here("wv"), attentionNorm, `${layer}.attention.wv`, a("v", R, keys));
    rope(here("rope of q"), a("q_projection", ...query), q);
    rope(here("rope of k"), a("k_projection", ...key), k);
    op("attention.forward", here("attention"), { q, k, v }, attended);
    linear(here("wo"), a("attention", R, queries), `${layer}.attention.wo`, a("attention_output", R, C));
    add(here("attention_residual"), x, a("attention_output", R, C), attentionResidual);
    norm(here("ffn_norm"), attentionResidual, `${layer}.ffn_norm`);
    linear(here("w1"), ffnNorm, `${layer}.feed_forward.w1`, gate);
    linear(here("w3"), ffnNorm, `${layer}.feed_forward.w3`, up);
    op("swiglu.forward", here("swiglu"), { gate, up }, { y: a("swiglu", R, F) });
    linear(here("w2"), a("swiglu", R, F), `${layer}.feed_forward.w2`, a("ffn_output", R, C));
    add(here("ffn_residual"), attentionResidual, a("ffn_output", R, C), a("ffn_residual", R, C));
  }
  const logits = act("logits", R, V);
  norm("norm", act(streamName(shape.config.nLayers), R, C), "norm");
  linear("output", act("norm", R, C), head, logits);
  const ignoreIndex = { ignoreIndex: IGNORE_INDEX };
  op("cross-entropy.forward", "loss", { logits, targets }, { loss: act("loss"), lse: act("lse", R) }, ignoreIndex);
  return list;
}
