// llama.cpp in a process of its own, since it ends the process when it rejects its input. Decodes greedily from the begin token
// and prints the ids and each step's logits as JSON: node llama.mjs MODEL POSITIONS
//
// It uses the CPU's plain variant (run.ts says why), a key/value cache in float32, and no flash attention, which would make the
// cache float16.
import { getLlama } from "node-llama-cpp";

const [path, positions] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, logLevel: "error" });
if (/\b(SSE3|AVX|FMA)\b/.test(llama.systemInfo)) throw new Error(`not the plain variant: ${llama.systemInfo}`);
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
const context = await model.createContext({
  contextSize: 256,
  sequences: 1,
  threads: 1,
  flashAttention: false,
  experimentalKvCacheKeyType: "F32",
  experimentalKvCacheValueType: "F32",
});
const float32 = 0;
if (context.flashAttention || context.kvCacheKeyType !== float32 || context.kvCacheValueType !== float32) {
  throw new Error("llama.cpp took another key/value cache than it was asked for");
}
const sequence = context.getSequence();
const ids = [1];
const logits = [];
while (logits.length < Number(positions)) {
  const [{ next }] = await sequence.controlledEvaluate([[ids.at(-1), { generateNext: { logits: true } }]]);
  const row = Array.from({ length: next.logits.size }, (_, id) => next.logits.get(id));
  logits.push(row);
  ids.push(row.indexOf(Math.max(...row)));
}
process.stdout.write(JSON.stringify({ ids, logits }), () => process.exit(0));
