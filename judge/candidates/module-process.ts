// The judge's side of a module's process. Nothing that comes back is trusted: every length is checked before there is room for it.
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type CandidateResult, Interrupted, type RaceReport, Unsupported } from "../../reference/candidate.ts";
import { type Inputs, type Operation, outputShapes, type Scalars } from "../../reference/operation.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../../reference/tensor.ts";
import { Child, type Retired } from "./child.ts";
import type { ModuleOptions } from "./module.ts";
import { reasonIn } from "./unsupported.ts";
import type { Answer, Ran, Refused, Request, Run } from "./module-wire.ts";
import { bytesOf, frame, FrameReader, put } from "./wire.ts";

/** The function threw; its process keeps running. */
export class Threw extends Error {}

interface Heard {
  readonly header: Answer;
  readonly body: Uint8Array<ArrayBuffer>;
}

const [REQUESTS, ANSWERS, WATCH] = [3, 4, 5];
/** Milliseconds after which a launch that hangs has been reported by the process that launched it. */
const REPORTED = 2000;
const MEGABYTE = 2 ** 20;

export class ModuleProcess {
  private readonly options: ModuleOptions;
  private readonly file: string;
  private readonly child: Child;
  private readonly reader: FrameReader;
  private readonly tooMuch: string;
  private timeout: number;
  private isEnding = false;

  constructor(options: ModuleOptions, file: string) {
    const { memory, print } = options;
    this.options = options;
    this.timeout = options.timeout;
    this.file = file;
    const entry = fileURLToPath(new URL(`./module-child${extname(import.meta.url)}`, import.meta.url));
    const words = [...nodeOptions(memory), entry, String(process.pid), String(memory)];
    this.child = new Child({ command: [process.execPath, ...words], pipes: 3, ...(print && { print }) });
    this.reader = new FrameReader((header, body) => this.hear(header as Answer, body));
    this.child.output(ANSWERS).on("data", (piece: Uint8Array) => {
      try {
        this.reader.push(piece);
      } catch (error) {
        this.child.fail(error as Error);
        this.kill();
      }
    });
    this.tooMuch = `occupied more than ${Math.round(memory / MEGABYTE)} MB of memory`;
    this.child.output(WATCH).once("data", () => this.child.fail(new Error(this.tooMuch)));
  }

  /** Loads the module: where a declared kernel runs, undefined for a function. Throws an Error that says why it is none. */
  async load(): Promise<string | undefined> {
    const { host, terms } = this.options;
    const url = pathToFileURL(this.file).href;
    const declared = host === undefined ? {} : { host: host.href, terms };
    this.reader.longest = 0;
    const { header } = await this.ask({ kind: "load", url, ...declared }, [], " while it was loaded");
    if (header.kind === "loaded") {
      if (header.where !== undefined) this.timeout += REPORTED;
      return header.where;
    }
    throw new Error(header.kind === "refused" ? refusal(header, this.file) : "answered something else");
  }

  /** Throws Unsupported where the function refused the case, Threw where it threw anything else, and an Error that says what else went wrong. */
  async run(operation: Operation, inputs: Inputs, scalars: Scalars): Promise<CandidateResult> {
    const shapes = outputShapes(operation, inputs, scalars);
    const outputs = Object.keys(operation.outputs).map((name) => ({ name, length: sizeOf(shapes[name]) }));
    this.reader.longest = 8 * outputs.reduce((sum, { length }) => sum + length, 0);
    const { header, body } = await this.askOf("run", inputs, scalars, outputs);
    if (header.kind === "threw" && header.isRefusal === true) throw new Unsupported(reasonIn(String(header.message)));
    if (header.kind === "threw") throw new (header.isSpent ? Error : Threw)(String(header.message));
    if (header.kind !== "ran") throw new Error("answered something else");
    return resultOf(header, body, outputs, shapes);
  }

  /** What would race on these inputs. Throws Threw where the declaration does not fit them, and an Error that says what else went wrong. */
  async races(inputs: Inputs, scalars: Scalars): Promise<RaceReport> {
    this.reader.longest = 0;
    const { header } = await this.askOf("races", inputs, scalars, []);
    if (header.kind === "threw") throw new Threw(String(header.message));
    if (header.kind !== "raced") throw new Error("answered something else");
    return reportOf(header.report);
  }

  private askOf(kind: Run["kind"], inputs: Inputs, scalars: Scalars, outputs: Run["outputs"]): Promise<Heard> {
    const list = Object.entries(inputs);
    const described = list.map(([name, { data, shape }]) => ({ name, type: typeOf(data), length: data.length, shape }));
    return this.ask(
      { kind, inputs: described, scalars, outputs },
      list.map(([, { data }]) => bytesOf(data)),
    );
  }

  /** Asks the process to end, and waits for that. Throws an Error that says what it did or left instead. */
  async retire(within: number): Promise<void> {
    const retired = await this.child.retire(REQUESTS, within);
    const said = complaintOf(retired, this.isEnding, within);
    if (said !== undefined) throw new Error(said);
  }

  kill(): void {
    this.child.kill();
  }

  private async ask(request: Request, numbers: readonly Uint8Array[], when = ""): Promise<Heard> {
    const { signal } = this.options;
    const length = numbers.reduce((sum, bytes) => sum + bytes.length, 0);
    const { bytes, body } = frame(request, length);
    let at = body;
    for (const part of numbers) {
      put(bytes, part, at);
      at += part.length;
    }
    try {
      const heard = await this.child.ask(() => this.child.input(REQUESTS).write(bytes), this.timeout, signal);
      this.child.checkSound();
      return heard as Heard;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const { stderr, lastWords } = this.child;
      const why = stderr.includes("heap out of memory") ? this.tooMuch : (error as Error).message;
      throw new Error(`${why}${when}${lastWords}`, { cause: error });
    }
  }

  private hear(header: Answer | null, body: Uint8Array<ArrayBuffer>): void {
    if (header?.kind === "ends") this.isEnding = true;
    else if (header?.kind === "stray") this.child.fail(new Error(`threw outside a call: ${header.message}`));
    else if (header !== null && this.child.isAsked) this.child.answer({ header, body });
    else this.child.fail(new Error("answered without a request"));
  }
}

/** The flags of this process that a module may need, such as a loader's, and its share of memory as the limit of V8's heap. */
function nodeOptions(memory: number): string[] {
  const kept = process.execArgv.filter(
    (word, i, all) => !/^(-[epi]|--(eval|print|interactive))$/.test(all[i - 1] ?? "") && !notTheirs.test(word),
  );
  // From the sources, under anything but tsx, as in tests.
  const isSource = extname(import.meta.url) === ".ts" && !kept.some((word) => word.includes("tsx"));
  const loader = isSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  return [...kept, ...loader, `--max-old-space-size=${Math.ceil(memory / MEGABYTE)}`];
}

const notTheirs = /^(-[epi]|--(eval|print|interactive|inspect.*|test.*|watch.*|max-old-space-size.*|.*-prof.*))$/;

function typeOf(data: Floats | Ints): Run["inputs"][number]["type"] {
  return data instanceof Int32Array ? "Int32Array" : data instanceof Float32Array ? "Float32Array" : "Float64Array";
}

/** What `--kernel FILE: ` is followed by. */
function refusal({ by, message, code }: Refused, file: string): string {
  if (by === "host") return message;
  if (by === "import") {
    const hint =
      code === "ERR_UNKNOWN_FILE_EXTENSION" && extname(file) === ".ts"
        ? "this Node does not read TypeScript: run it under tsx, or give the compiled .js"
        : message;
    return `cannot be loaded (${hint}), expected a module`;
  }
  return message === "none"
    ? "has no default export, expected a function or a kernel's declaration"
    : `the default export is something else (${message}), expected a function or a kernel made by defineKernel`;
}

/** Throws TypeError for an output that is none. */
function resultOf(
  { outputs: given, changed, complaints }: Ran,
  body: Uint8Array<ArrayBuffer>,
  wanted: Run["outputs"],
  shapes: Readonly<Record<string, readonly number[]>>,
): CandidateResult {
  const outputs: Record<string, Tensor> = {};
  let at = 0;
  for (const [i, { name, length }] of wanted.entries()) {
    const { type, shape, length: got, bytes } = given[i];
    const Storage = type === "Float32Array" ? Float32Array : Float64Array;
    if (Storage.name !== type || !Array.isArray(shape)) {
      throw new TypeError(`returned ${name} as ${type}, expected { data: Float32Array, shape }`);
    }
    if (got !== length) {
      throw new TypeError(
        `returned ${name} with ${got} numbers of shape [${shape}], expected ${length} of [${shapes[name]}]`,
      );
    }
    if (bytes !== length * Storage.BYTES_PER_ELEMENT) throw new TypeError(`returned ${name} in ${bytes} bytes`);
    outputs[name] = { data: new Storage(body.slice(at, (at += bytes)).buffer), shape };
  }
  return { outputs, complaints: [...complaints.map(String), ...changed.map((name) => `input ${name} was changed`)] };
}

/** A report by itself: lists of words and a number, whatever was sent. */
function reportOf({ races, unordered, workgroups, stopped }: RaceReport): RaceReport {
  const told = stopped === undefined ? {} : { stopped: String(stopped) };
  return { races: races.map(String), unordered: unordered.map(String), workgroups: Number(workgroups), ...told };
}

function complaintOf({ failure, end, left }: Retired, isEnding: boolean, within: number): string | undefined {
  if (failure !== undefined) return failure.message;
  if (end === undefined) return `did not end within ${within / 1000} s of being asked to`;
  if (!isEnding) return `${end.message}, expected it to wait for the judge`;
  return left;
}
