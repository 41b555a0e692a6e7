// Reading on the device with its cache: the logits of the reference, within what float32 sums in another order may differ.
import { expect, test } from "vitest";
import { distance } from "../../trace/difference.ts";
import { openDevice } from "../../kernels-gpu/device/dawn.ts";
import { deviceReader } from "../../kernels-gpu/reader.ts";
import { referenceReader } from "../../reference/model/reader.ts";
import { bits } from "../../reference/random.ts";
import { initialWeights } from "../../reference/weights.ts";
import { FLOAT32_REPLAY } from "../thresholds.ts";

const sizes = { dim: 24, nLayers: 2, nHeads: 4, nKvHeads: 2, ffnDim: 44, vocabSize: 61, maxSeqLen: 80 };
const config = { ...sizes, normEps: 1e-5, ropeTheta: 10_000, tiedEmbeddings: false };

test("chunks of any length, over the cache's stride, after a cut, and what is refused", async () => {
  const weights = initialWeights(config, 5, Float32Array);
  for (const { data, shape } of weights.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) data[i] *= 20;
  const adapter = (process.env.TOUCHSTONE_ADAPTER ?? "auto") as "auto";
  const reader = deviceReader(await openDevice({ adapter }), config, weights);
  const reference = referenceReader(config, weights);
  const ids = Int32Array.from({ length: 80 }, (_, i) => bits(5, 1, i) % config.vocabSize);
  async function compare(chunk: number): Promise<void> {
    const tokens = ids.subarray(reference.length, reference.length + chunk);
    const [got, want] = [await reader.read(tokens), await reference.read(tokens)];
    expect(got.shape).toEqual(want.shape);
    const { relative } = distance(got, want);
    expect(relative <= FLOAT32_REPLAY, `behind ${reference.length}: ${relative}`).toBe(true);
  }
  for (const chunk of [1, 2, 1, 59, 1, 1, 15]) await compare(chunk); // 63, 64, 65 positions among them
  expect(reader.length).toBe(80);
  await expect(reader.read(Int32Array.of(0))).rejects.toThrow("1 token after 80 positions, expected at most");
  for (const kept of [70, 3]) {
    reader.cut(kept);
    reference.cut(kept);
    await compare(4);
  }
  await expect(reader.read(Int32Array.of(61))).rejects.toThrow("tokens[0] is 61, expected an id in [0, 61)");
  expect(() => reader.cut(81)).toThrow("cannot keep 81");
  await compare(1);
  reader.close();
});
