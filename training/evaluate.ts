// Evaluates a model, through a reader, on the items of a task.
import { continuation, greedy, type Sampling } from "../reference/model/generate.ts";
import type { Reader } from "../reference/model/reader.ts";
import { bits, streamOf } from "../reference/random.ts";
import { ANSWER_CONTEXT, best, isExactMatch, logLikelihoods, passAtK, scoreOf } from "../reference/text/evaluation.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { toUtf8 } from "../reference/text/tokenizer-utf8.ts";
import type { Choice, Exact, Item, PassAtK, Perplexity } from "./tasks.ts";

export interface Evaluated {
  readonly reader: Reader;
  readonly tokenizer: Tokenizer;
}

/** The outcome of an item. */
export type ItemOutcome =
  | { readonly kind: "choice"; readonly chosen: number; readonly scores: readonly number[]; readonly correct: boolean }
  | { readonly kind: "exact"; readonly generated: string; readonly correct: boolean }
  | { readonly kind: "pass"; readonly samples: number; readonly correct: number }
  | { readonly kind: "perplexity"; readonly nats: number; readonly tokens: number; readonly bytes: number };

/** Called with the share of an item that is done; if it throws, the evaluation ends. */
export type Tick = (share: number) => Promise<void>;

/** Evaluates one item; `seed` determines the samples. Throws RangeError, naming the item, if it does not fit the context. */
export async function evaluate(model: Evaluated, item: Item, seed: number, tick: Tick): Promise<ItemOutcome> {
  if (item.kind === "choice") return choose(model, item);
  if (item.kind === "exact") return answer(model, item);
  return item.kind === "pass" ? sample(model, item, seed, tick) : perplexity(model, item, tick);
}

async function choose(
  model: Evaluated,
  { where, context, choices, answer: wanted, normalize }: Choice,
): Promise<ItemOutcome> {
  const likelihoods = await completions(model, where, context, choices);
  const unconditional =
    normalize === "answer" ? await completions(model, where, ANSWER_CONTEXT, choices) : choices.map(() => 0);
  const scores = choices.map((choice, i) => scoreOf(normalize, likelihoods[i], choice, unconditional[i]));
  const chosen = best(scores);
  return { kind: "choice", chosen, scores, correct: chosen === wanted };
}

/** ln p(completion | context) of each completion, which follows the context after a space. */
async function completions(
  { reader, tokenizer }: Evaluated,
  where: string,
  context: string,
  all: readonly string[],
): Promise<number[]> {
  const bos = tokenizer.bos >= 0;
  const before = tokenizer.encode(context, { bos });
  const joint = context === "" || /\s$/.test(context) ? "" : " ";
  const likelihoods: number[] = [];
  reader.cut(0);
  for (const completion of all) {
    const ids = tokenizer.encode(context + joint + completion, { bos });
    // A token may hold the context's end and the completion's beginning: it counts as the completion's.
    const first = Math.max(1, Math.min(commonPrefix(before, ids), ids.length - 1));
    if (ids.length < 2) throw new RangeError(`${where}: nothing precedes ${JSON.stringify(completion)}`);
    // The context is read once for all completions.
    const kept = Math.min(reader.length, first - 1);
    reader.cut(kept);
    likelihoods.push((await score(reader, where, ids, kept, first)).reduce((a, b) => a + b, 0));
    reader.cut(Math.min(reader.length, first));
  }
  return likelihoods;
}

/** ln p of the ids from number `first` on; those before `from` have been read. */
async function score(reader: Reader, where: string, ids: Int32Array, from: number, first: number): Promise<number[]> {
  const { maxSeqLen, vocabSize } = reader.config;
  if (ids.length - 1 > maxSeqLen) {
    throw new RangeError(
      `${where} has ${ids.length} tokens, expected at most ${maxSeqLen + 1}: the model's context and one`,
    );
  }
  const { data } = await reader.read(ids.slice(from, -1));
  const rows = data.subarray((first - 1 - from) * vocabSize);
  return logLikelihoods({ data: rows, shape: [ids.length - first, vocabSize] }, ids.subarray(first));
}

function commonPrefix(a: Int32Array, b: Int32Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

async function answer(model: Evaluated, { where, prompt, answers, tokens }: Exact): Promise<ItemOutcome> {
  const generated = await continued(model, where, prompt, tokens, greedy);
  return { kind: "exact", generated, correct: isExactMatch(generated, answers) };
}

async function sample(model: Evaluated, item: PassAtK, seed: number, tick: Tick): Promise<ItemOutcome> {
  const { where, samples, correct: counted, prompt = "", answers = [], tokens, temperature } = item;
  if (counted !== undefined) return { kind: "pass", samples, correct: counted };
  const stream = streamOf(`samples of ${prompt}`);
  let correct = 0;
  for (let i = 0; i < samples; i++) {
    const sampling = { temperature, topP: 1, seed: bits(seed, stream, i) };
    if (isExactMatch(await continued(model, where, prompt, tokens, sampling), answers)) correct++;
    await tick((i + 1) / samples);
  }
  return { kind: "pass", samples, correct };
}

/** The continuation of the prompt, up to the end of its line, a begin or end token, or `tokens` tokens. */
async function continued(
  { reader, tokenizer }: Evaluated,
  where: string,
  prompt: string,
  tokens: number,
  sampling: Sampling,
): Promise<string> {
  const { bos, eos } = tokenizer;
  const ids = tokenizer.encode(prompt, { bos: bos >= 0 });
  const { maxSeqLen } = reader.config;
  if (ids.length > maxSeqLen) {
    throw new RangeError(`${where} has ${ids.length} tokens, expected at most the model's context of ${maxSeqLen}`);
  }
  reader.cut(0);
  const decoder = tokenizer.decoder();
  for (const id of ids) decoder.push(id);
  let text = "";
  let count = 0;
  for await (const id of continuation(reader, ids, sampling)) {
    if (id === bos || id === eos) break;
    text += decoder.push(id);
    if (text.trimStart().includes("\n") || ++count === tokens) break;
  }
  // The line may begin with the break that ends the prompt.
  return `${text}${decoder.end()}`.trimStart();
}

async function perplexity(
  { reader, tokenizer }: Evaluated,
  { where, text }: Perplexity,
  tick: Tick,
): Promise<ItemOutcome> {
  const ids = tokenizer.encode(text, { bos: tokenizer.bos >= 0 });
  if (ids.length < 2) throw new RangeError(`${where}: the text has ${ids.length} tokens, expected one to predict`);
  const { maxSeqLen } = reader.config;
  let nats = 0;
  // Windows of the context, each beginning with the last token of the one before.
  for (let start = 0; start + 1 < ids.length; start += maxSeqLen) {
    reader.cut(0);
    for (const logP of await score(reader, where, ids.subarray(start, start + maxSeqLen + 1), 0, 1)) nats -= logP;
    await tick(Math.min(1, (start + maxSeqLen) / ids.length));
  }
  return { kind: "perplexity", nats, tokens: ids.length - 1, bytes: toUtf8(text).length };
}

/** The outcomes of a task's items as figures by name: means over items, or for texts over tokens and bytes. */
export function figuresOf(outcomes: readonly ItemOutcome[], ks: readonly number[]): Record<string, number> {
  const [{ kind }] = outcomes;
  const of = <K extends ItemOutcome["kind"]>(wanted: K) =>
    outcomes.filter((outcome): outcome is Extract<ItemOutcome, { kind: K }> => outcome.kind === wanted);
  if (kind === "perplexity") {
    const texts = of(kind);
    const total = (name: "nats" | "tokens" | "bytes"): number => texts.reduce((sum, text) => sum + text[name], 0);
    const [nats, tokens, bytes] = [total("nats"), total("tokens"), total("bytes")];
    return {
      perplexity: Math.exp(nats / tokens),
      "nats a token": nats / tokens,
      "nats a byte": nats / bytes,
      "bits a byte": nats / bytes / Math.LN2,
    };
  }
  if (kind === "pass") {
    const items = of(kind);
    return Object.fromEntries(
      ks.map((k) => [`pass@${k}`, mean(items.map(({ samples, correct }) => passAtK(samples, correct, k)))]),
    );
  }
  const right = mean([...of("choice"), ...of("exact")].map(({ correct }) => Number(correct)));
  const error = Math.sqrt((right * (1 - right)) / outcomes.length);
  return { [kind === "choice" ? "accuracy" : "exact match"]: right, "standard error": error };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
