import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { register as registerConvert } from "../../../cli/convert.ts";
import { convert } from "../../../cli/convert-run.ts";
import { UserError } from "../../../cli/errors.ts";
import { inspect } from "../../../cli/inspect-run.ts";
import { dtypesOfFormat, openCheckpoint, writeCheckpoint, writtenFormats } from "../../../formats/checkpoint.ts";
import { tokenizerFields } from "../../../formats/gguf-tokenizer.ts";
import { llamaFlags } from "../../../reference/text/tokenizer-model.ts";
import { countParameters } from "../../../reference/weights.ts";
import { Command } from "commander";
import { bitsOf, paramsOf, randomWeights, scratch, small, torchFile, writeJson } from "./files.ts";

const at = scratch();
let printed = "";
let complained = "";

beforeEach(() => {
  printed = "";
  complained = "";
  const write = (text: unknown, done?: () => void): boolean => {
    printed += String(text);
    done?.();
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(write as typeof process.stdout.write);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    complained += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

describe("convert", () => {
  test("the suffix names the format, and the dtype stays unless another is asked for", async () => {
    const weights = randomWeights(small, "bfloat16");
    fs.writeFileSync(at("model.pth"), torchFile(weights, "bfloat16"));
    writeJson(at("model.json"), paramsOf(small));
    const expected = [
      ["a.gguf", "gguf", "bfloat16"],
      ["a.safetensors", "touchstone", "bfloat16"],
      ["folder", "huggingface", "bfloat16"],
      ["a.bin", "llama2c", "float32"],
    ] as const;
    for (const [name, format, dtype] of expected) {
      await convert(at("model.pth"), at(name), {});
      const opened = await openCheckpoint(at(name));
      expect([opened.format, opened.dtypes[0]]).toEqual([format, dtype]);
      expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
      opened.close();
      expect(printed).toContain(
        `${at(name)}: ${format}, 21 weights, ${countParameters(small).toLocaleString("en")} parameters, ${dtype}\n`,
      );
    }
    expect(complained).toContain("model.pth has no tokenizer and --tokenizer names none");
    await convert(at("folder"), at("named"), { format: "gguf", dtype: "float32" });
    expect((await openCheckpoint(at("named"))).dtypes).toEqual(["float32"]);
  });

  test("a GGUF file's tokenizer goes along", async () => {
    const names = ["<unk>", "<s>", "</s>", "a", "b"];
    const types = ["unknown", "control", "control", "normal", "normal"] as const;
    const pieces = names.map((text, id) => ({ text, score: 0, type: types[id] }));
    const tokenizer = tokenizerFields({ ...llamaFlags, byteFallback: false, pieces });
    writeCheckpoint(at("with.gguf"), "gguf", small, randomWeights(small), "float32", { tokenizer });
    await convert(at("with.gguf"), at("again.gguf"), {});
    expect(fs.readFileSync(at("again.gguf")).equals(fs.readFileSync(at("with.gguf")))).toBe(true);
    expect(complained).not.toContain("tokenizer");
  });

  test("what cannot be is one clear error, and nothing is left", async () => {
    writeCheckpoint(at("source.bin"), "llama2c", small, randomWeights(small));
    const source = at("source.bin");
    await expect(convert(source, at("x.onnx"), {})).rejects.toThrow(UserError);
    await expect(convert(source, at("x.onnx"), {})).rejects.toThrow(/suffix "\.onnx" names no format, expected \.bin/);
    await expect(convert(source, at("x.bin"), { dtype: "float16" })).rejects.toThrow(
      /--dtype float16: llama2c cannot store it, expected float32/,
    );
    await expect(convert(source, at("x.bin"), { tokenizer: "t" })).rejects.toThrow(
      /--tokenizer: llama2c holds no tokenizer/,
    );
    await expect(convert(at("absent"), at("x.bin"), {})).rejects.toThrow(/no such file/);
    await expect(convert(source, at("absent/x.bin"), {})).rejects.toThrow(/cannot be written, no such file/);
    expect(fs.readdirSync(at("")).filter((name) => name.startsWith("x") || name.startsWith("."))).toEqual([]);
  });

  test("the help lists what is written", () => {
    const program = new Command();
    registerConvert(program);
    const [formats, dtypes] = program.commands[0].options.map(({ argChoices }) => argChoices);
    expect(formats).toEqual([...writtenFormats]);
    expect(dtypes).toEqual(dtypesOfFormat("gguf"));
  });
});

describe("inspect", () => {
  test("configuration, parameters, tensors, dtypes and norms", async () => {
    const weights = randomWeights(small, "float16");
    weights.set("norm.weight", { data: Float32Array.of(3, -4, 0, 0, NaN, Infinity, -Infinity, 0), shape: [8] });
    writeCheckpoint(at("a.gguf"), "gguf", small, weights, "float16");
    await inspect(at("a.gguf"), {});
    expect(printed).toMatch(/format +gguf\n/);
    expect(printed).toMatch(new RegExp(`parameters +${countParameters(small).toLocaleString("en")}\n`));
    expect(printed).toMatch(/weights +21, .*, float16, float32\n/);
    for (const [name, value] of Object.entries(small)) expect(printed).toMatch(new RegExp(`${name} +${value}\n`));
    // √((9 + 16) / 5) of the five finite ones.
    expect(printed).toMatch(
      /norm\.weight +│ output_norm\.weight +│ +\[8\] +│ float32 +│ +2\.236 +│ +4 +│ 3 not finite/,
    );
    expect(printed).not.toContain("--norms");
    printed = "";
    await inspect(at("a.gguf"), { norms: false });
    expect(printed).toMatch(/norms are not shown: --norms reads all/);
    printed = "";
    await inspect(at("a.gguf"), { json: true });
    const json = JSON.parse(printed) as { config: unknown; weights: { name: string; rms: number; max: number }[] };
    expect(json.config).toEqual(small);
    expect(json.weights.find(({ name }) => name === "norm.weight")).toMatchObject({
      rms: Math.sqrt(5),
      max: 4,
      nonFinite: 3,
    });
  });
});
