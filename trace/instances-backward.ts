// The backward of step 0 as op instances, in the order of reference/model.
import { LAYOUT } from "../reference/model/block.ts";
import { IGNORE_INDEX } from "../reference/ops/cross-entropy.ts";
import type { Scalars } from "../reference/operation.ts";
import { flat, type Instance, type Recorded, streamName, type TraceShape, words } from "./instance.ts";

export function backwardInstances(shape: TraceShape, at?: string): Instance[] {
  const { R, C, F, V, query, key, queries, keys, act, grad, term, useOfTable, w, dw, tokens, targets, table, head } =
    words(shape, at);
  const { tiedEmbeddings: tied, nLayers: L } = shape.config;
  const list: Instance[] = [];
  type Part = Instance["inputs"];
  const op = (name: string, where: string, inputs: Part, outputs: Instance["outputs"], scalars: Scalars = {}): void =>
    void list.push({ op: name, where, inputs, scalars, outputs });
  const linear = (where: string, dy: Recorded, x: Recorded, weight: string, dx: Recorded): void =>
    op("linear.backward", where, { dy, x, w: w(weight) }, { dx, dw: dw(weight) });
  const add = (where: string, a: Recorded, b: Recorded, y: Recorded): void =>
    op("add.forward", where, { a: flat(a), b: flat(b) }, { y: flat(y) });
  const norm = (where: string, x: Recorded, name: string, dx: Recorded): void => {
    const inputs = { dy: grad(name, R, C), x, w: w(name), rstd: act(`${name}.rstd`, R) };
    op("rmsnorm.backward", where, inputs, { dx, dw: dw(name) });
  };
  const rope = (where: string, dy: Recorded, dx: Recorded): void =>
    op("rope.backward", where, { dy, ...table }, { dx }, { layout: LAYOUT });

  const logits = act("logits", R, V);
  const dlogits = grad("logits", R, V);
  const fromLoss = { dloss: grad("loss"), logits, targets, lse: act("lse", R) };
  op("cross-entropy.backward", "loss", fromLoss, { dlogits }, { ignoreIndex: IGNORE_INDEX });
  const { shape: tableShape } = w("tok_embeddings");
  const headTerm = useOfTable("head", ...tableShape);
  const tableTerm = useOfTable("embedding", ...tableShape);
  const fromLogits = { dy: dlogits, x: act("norm", R, C), w: w(head) };
  op("linear.backward", "output", fromLogits, { dx: grad("norm", R, C), dw: tied ? headTerm : dw("output") });
  norm("norm", act(streamName(L), R, C), "norm", grad(streamName(L), R, C));

  for (let i = L - 1; i >= 0; i--) {
    const layer = `layers.${i}`;
    const a = (name: string, ...axes: number[]): Recorded => act(`${layer}.${name}`, ...axes);
    const d = (name: string, ...axes: number[]): Recorded => grad(`${layer}.${name}`, ...axes);
    const t = (name: string): Recorded => term(`${layer}.${name}`, R, C);
    const here = (what: string): string => `layer ${i}, ${what}`;

    const ffnNorm = a("ffn_norm", R, C);
    const [gate, up] = [a("gate", R, F), a("up", R, F)];
    const [dgate, dup] = [d("gate", R, F), d("up", R, F)];
    const dattentionResidual = d("attention_residual", R, C);
    linear(here("w2"), d("ffn_output", R, C), a("swiglu", R, F), `${layer}.feed_forward.w2`, d("swiglu", R, F));
    op("swiglu.backward", here("swiglu"), { dy: d("swiglu", R, F), gate, up }, { dgate, dup });
    linear(here("w1"), dgate, ffnNorm, `${layer}.feed_forward.w1`, t("ffn_norm.gate"));
    linear(here("w3"), dup, ffnNorm, `${layer}.feed_forward.w3`, t("ffn_norm.up"));
    add(here("gradient of ffn_norm"), t("ffn_norm.gate"), t("ffn_norm.up"), d("ffn_norm", R, C));
    norm(here("ffn_norm"), a("attention_residual", R, C), `${layer}.ffn_norm`, t("attention_residual.ffn_norm"));
    const fromFfn = [d("ffn_residual", R, C), t("attention_residual.ffn_norm")] as const;
    add(here("gradient of attention_residual"), ...fromFfn, dattentionResidual);

    const attentionNorm = a("attention_norm", R, C);
    const [q, k, v] = [a("q", ...query), a("k", ...key), a("v", ...key)];
    const [y, lse] = [a("attention", ...query), a("lse", query[0], query[2], query[1])];
    const [dq, dk, dv] = [d("q", ...query), d("k", ...key), d("v", ...key)];
    const wo = `${layer}.attention.wo`;
    linear(here("wo"), d("attention_output", R, C), a("attention", R, queries), wo, d("attention", R, queries));
    const intoAttention = { dy: d("attention", ...query), q, k, v, y, lse };
    op("attention.backward", here("attention"), intoAttention, { dq, dk, dv });
    rope(here("rope of q"), dq, d("q_projection", ...query));
    rope(here("rope of k"), dk, d("k_projection", ...key));
    linear(here("wq"), d("q_projection", R, queries), attentionNorm, `${layer}.attention.wq`, t("attention_norm.q"));
    linear(here("wk"), d("k_projection", R, keys), attentionNorm, `${layer}.attention.wk`, t("attention_norm.k"));
    linear(here("wv"), d("v", R, keys), attentionNorm, `${layer}.attention.wv`, t("attention_norm.v"));
    const sum = here("gradient of attention_norm");
    add(sum, t("attention_norm.q"), t("attention_norm.k"), t("attention_norm.qk"));
    add(sum, t("attention_norm.qk"), t("attention_norm.v"), d("attention_norm", R, C));
    norm(here("attention_norm"), act(streamName(i), R, C), `${layer}.attention_norm`, t("input.attention_norm"));
    add(here("gradient of its input"), dattentionResidual, t("input.attention_norm"), grad(streamName(i), R, C));
  }

  const dtable = tied ? tableTerm : dw("tok_embeddings");
  op("embedding.backward", "embedding", { dy: grad("embedding", R, C), tokens }, { dw: dtable }, { V });
  if (tied) add("gradient of the tied head", tableTerm, headTerm, dw("tok_embeddings"));
  return list;
}
