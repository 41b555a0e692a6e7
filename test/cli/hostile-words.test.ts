// Every command with names and words that a terminal would obey: in paths, files, candidates, options and the environment. Nothing
// that is printed holds a control character but the ends of the command's own lines.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openProgress } from "../../cli/progress.ts";
import {
  add,
  at,
  candidate,
  copied,
  exec,
  file,
  fixtures,
  folder,
  hostile,
  line,
  model,
  shown,
  target,
  tasks,
  tensors,
  text,
  throwing,
  vocabulary,
} from "./hostile-files.ts";
import { inProcess } from "./in-process.ts";

const { TMPDIR } = process.env;
afterEach(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
});

/** Command lines, of which each shows the word, escaped. */
const cases: Record<string, () => string[]> = {
  "a command": () => [hostile],
  "an option": () => ["check", `--${hostile}`],
  "an option's number": () => ["check", "--runs", hostile],
  "an option's choice": () => ["check", "--adapter", hostile],
  "an op": () => ["check", "--op", hostile],
  "a name of ops": () => ["ops", hostile],
  "a declaration": () => ["check", "--op", "add", "--store", hostile],
  "a declaration's format": () => ["check", "--op", "attention.forward", "--store", `P=${hostile}`],
  "a target": () => ["check", "--op", "add", "--target", hostile],
  "a target's file": () => ["check", "--op", "add", "--target", file("target.json", hostile)],
  "a target's field": () => ["check", "--op", "add", "--target", file("target2.json", `{ ${text}: 1 }`)],
  "a target's name": () => [
    ...exec("exit 1"),
    "--target",
    file("target3.json", target({ name: hostile, flushes: false, promisesNonFinite: true, functions: {} })),
  ],
  "a replay": () => ["check", "--replay", `add.forward N=3 profile=${hostile} seed=1`],
  "a replay's field": () => ["check", "--replay", `add.forward ${hostile}=3`],
  "a kernel's path": () => ["check", "--op", "add", "--kernel", at("none.mjs")],
  "a kernel that cannot be loaded": () => [
    "check",
    "--op",
    "add",
    "--kernel",
    file("broken.mjs", `throw Error(${text})`),
  ],
  "a kernel that throws": () => line(`${add} --kernel`, throwing()),
  "a kernel that throws, replayed": () => [
    "check",
    "--kernel",
    throwing(),
    "--replay",
    "add.forward N=3 profile=unit seed=1",
  ],
  "a command that is not there": () => exec(`'${hostile}'`),
  "a candidate's standard error": () =>
    exec(candidate("stderr.mjs", `process.stderr.write(${text}); process.exit(3);`)),
  "a candidate's answer": () =>
    exec(
      candidate(
        "answer.mjs",
        `process.stdin.once("data", () => process.stdout.write(${JSON.stringify(`${hostile}\n`)}));`,
      ),
    ),
  "a candidate's refusal": () =>
    exec(
      candidate(
        "refusal.mjs",
        `process.stdin.on("data", (d) => console.log(JSON.stringify({ protocol: 2, case: JSON.parse(d).case, error: ${text} })));`,
      ),
    ),
  "a candidate's file": () =>
    exec(
      candidate(
        "output.mjs",
        `import { writeFileSync } from "node:fs";
        process.stdin.on("data", (d) => {
          const { case: n, outputs } = JSON.parse(d);
          const header = JSON.stringify({ [${text}]: { dtype: ${text}, shape: [1], data_offsets: [0, 4] } });
          const size = Buffer.alloc(8);
          size.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
          writeFileSync(outputs, Buffer.concat([size, Buffer.from(header), Buffer.alloc(4)]));
          console.log(JSON.stringify({ protocol: 2, case: n }));
        });`,
      ),
    ),
  "a candidate's protocol": () =>
    exec(
      candidate(
        "protocol.mjs",
        `process.stdin.on("data", (d) => console.log(JSON.stringify({ protocol: ${text}, case: JSON.parse(d).case })));`,
      ),
    ),
  "the temporary folder": () => {
    process.env.TMPDIR = join(folder, hostile);
    return ["check", "--replay", "add.forward N=3 profile=unit seed=1", "--exec", "exit 1"];
  },
  "a path of JSON": () => ["check", "--op", "add", "--json", at("none/x.json")],
  "tensors' names": () => [
    "diff",
    tensors("a.safetensors", [hostile, "x"]),
    tensors("b.safetensors", ["x", `${hostile}2`]),
  ],
  "a file that is not there": () => ["diff", at("none"), at("none")],
  "a checkpoint's tensors": () => ["inspect", tensors("c.safetensors", [hostile], { config: "{}" })],
  "a checkpoint's path": () => ["inspect", copied()],
  "a checkpoint's path, as JSON": () => ["inspect", copied(), "--json"],
  "a configuration": () => ["inspect", tensors("d.safetensors", ["x"], { config: `{ ${text}: 1 }` })],
  "a Hugging Face folder": () => {
    mkdirSync(at("hf"), { recursive: true });
    writeFileSync(join(at("hf"), "config.json"), `{ "model_type": ${text}, "architectures": [${text}] }`);
    return ["inspect", at("hf")];
  },
  "a recording": () => ["blame", tensors("e.safetensors", [hostile])],
  "a recording's configuration": () => [
    "trace",
    "--replay",
    tensors("f.safetensors", [hostile], { config: hostile }),
    "--out",
    at("o"),
  ],
  "a fixture's case": () => ["golden", "list", fixtures("by-case", "case")],
  "a fixture's target": () => ["golden", "list", fixtures("by-target", "target")],
  "a fixture's dtype": () => ["golden", "list", fixtures("by-dtype", "dtype")],
  "a fixture's op": () => {
    mkdirSync(at("outputs"), { recursive: true });
    return ["golden", "verify", fixtures("by-op", "op"), at("outputs")];
  },
  "a fixture's format": () => ["golden", "list", fixtures("by-format", "format")],
  "a manifest": () => {
    mkdirSync(at("manifest"), { recursive: true });
    writeFileSync(join(at("manifest"), "manifest.json"), `{ "format": ${text} }`);
    return ["golden", "check", at("manifest")];
  },
  "a manifest's files": () => {
    mkdirSync(at("files"), { recursive: true });
    const files = { [`${hostile}.safetensors`]: hostile };
    writeFileSync(
      join(at("files"), "manifest.json"),
      JSON.stringify({ format: "touchstone-fixture/2", target: "ieee", files, sources: files }),
    );
    return ["golden", "check", at("files")];
  },
  "a written checkpoint": () => ["convert", model, at("copy.bin")],
  "a suffix": () => ["convert", model, at(`copy.${hostile}`)],
  "a prompt's model": () => ["generate", copied(), "--prompt", "a", "--tokens", "2"],
  "a tokenizer that is none": () => ["tokenize", "--tokenizer", file("x.model", hostile), "a"],
  "a token's number": () => ["tokenize", "--tokenizer", vocabulary(), "--decode", hostile],
  "a text to learn": () => [
    "tokenizer",
    "train",
    "--text",
    file("text", "some text ".repeat(99)),
    "--vocab-size",
    "300",
    "--out",
    at("t.model"),
  ],
  "a picture": () => [
    ..."plan --model 7B --gpus 8 --gpu a100-80gb --batch-tokens 4M --tokens 1T --svg".split(" "),
    at("plan.svg"),
  ],
  "a task": () => line("evaluate --tasks", tasks()),
  "a task, as JSON": () => line("evaluate --json --tasks", tasks()),
  "a task's field": () => [
    "evaluate",
    "--tasks",
    file("tasks2.jsonl", `${JSON.stringify({ task: "a", kind: hostile })}\n`),
  ],
  "a source of a mixture": () => {
    file("source.txt", "words and words\n\n\n".repeat(400));
    const sources = [{ name: hostile, weight: 1, files: ["source.txt"], separator: "\n\n\n" }];
    const mixture = file("mixture.json", JSON.stringify({ sources }));
    return line("train --steps 1 --batch-size 1 --sequence-length 8 --mixture", mixture);
  },
  "a mixture's field": () => [
    "train",
    "--mixture",
    file("mixture2.json", JSON.stringify({ sources: [{ [hostile]: 1 }] })),
  ],
  "a run's folder": () => ["train", "--resume", at("none")],
  "an op of which bits are mapped": () => ["invariance", hostile],
  "an op whose order is revealed": () => ["order", hostile],
  "a configuration's name": () => ["train", "--config", hostile],
};

/** What may not arrive: everything but line feeds. */
const obeyed = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

describe.each(Object.entries(cases))("%s", (_, command) => {
  test("is shown, escaped, in its own line", async () => {
    const { out, err, code } = await inProcess(command());
    expect((out + err).match(obeyed) ?? []).toEqual([]);
    expect(out + err).not.toMatch(/^\s*FORGED/m);
    expect(out + err).toContain(shown);
    expect(code).not.toBe(3);
  });
});

test("no command is left out", async () => {
  const { out } = await inProcess(["--help"]);
  const names = [...out.slice(out.indexOf("Commands:")).matchAll(/^  ([a-z]+)/gm)].map(([, name]) => name);
  const used = new Set(Object.values(cases).map((command) => command()[0]));
  expect(names.length).toBeGreaterThan(12);
  expect(names.filter((name) => name !== "help" && !used.has(name))).toEqual([]);
});

describe("the text of a model", () => {
  const { isTTY } = process.stdout;
  afterEach(() => {
    process.stdout.isTTY = isTTY;
  });
  /** Ids of the word, which "tokenize --decode" turns back. */
  const decoded = async (onTerminal: boolean): Promise<string> => {
    const tokenizer = vocabulary();
    const { out } = await inProcess(["tokenize", "--tokenizer", tokenizer, hostile]);
    process.stdout.isTTY = onTerminal;
    return (await inProcess(["tokenize", "--tokenizer", tokenizer, "--decode", out.trim()])).out;
  };

  test("goes into a pipe as it is", async () => {
    expect(await decoded(false)).toBe(hostile);
  });

  test("goes onto a terminal with its lines, escaped", async () => {
    const out = await decoded(true);
    expect(out).toContain(shown);
    expect(out.match(obeyed) ?? []).toEqual([]);
    expect(out.split("\n")).toHaveLength(2);
  });

  test("is no program for a terminal, whatever a model generates", async () => {
    process.stdout.isTTY = true;
    for (let seed = 0; seed < 3; seed++) {
      // At this temperature the tokens are all but drawn evenly, control characters among them.
      const args = ["generate", "--prompt", hostile, "--temperature", "50", "--tokens", "60", "--seed", String(seed)];
      const { out } = await inProcess(args);
      expect(out.match(/(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu) ?? []).toEqual([]);
      expect(out).toContain("\\u00");
    }
  });
});

test("a bar of progress shows names, escaped", () => {
  const { isTTY } = process.stderr;
  process.stderr.isTTY = true;
  let written = "";
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((piece) => {
    written += String(piece);
    return true;
  });
  try {
    const progress = openProgress(1);
    progress.begin(hostile);
    progress.close();
  } finally {
    spy.mockRestore();
    process.stderr.isTTY = isTTY;
  }
  expect(written).toContain(shown);
  // The bar has sequences of its own, which move the cursor and clear the line.
  const words = ["\x1b]", "\x1b[2J", "\x07", "\x7f", "\x9b", "\u202e", "\u200b", "\u2028", "\x85", "\n"];
  for (const word of words) expect(written).not.toContain(word);
});
