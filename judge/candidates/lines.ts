// What a process says on its standard output: one line for each request, and nothing else.
//
// An extra line is a finding wherever it comes: with an answer, for this case; between two cases, for the next; after the last, when the
// process is closed. Its output is read to its end before that, so nothing depends on when a line arrives.
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import type { DTypeName } from "../../reference/dtype.ts";
import type { Scalars } from "../../reference/operation.ts";
import { checkAnswer, type PROTOCOL } from "./answer.ts";
import { Child } from "./child.ts";

/** The request to the process: one JSON line. */
export interface Request {
  readonly protocol: typeof PROTOCOL;
  readonly case: number;
  readonly op: string;
  readonly dtype: DTypeName;
  readonly scalars: Scalars;
  /** Outputs that are float32 whatever the dtype is. */
  readonly float32Outputs: readonly string[];
  /** Files: the one to read, and the one to write. */
  readonly inputs: string;
  readonly outputs: string;
}

const pythonClient = fileURLToPath(new URL("../../golden/clients/python", import.meta.url));
/** An answer is a short line; anything longer is not an answer. */
const LONGEST_LINE = 1 << 16;
/** Milliseconds that a process has to end by itself once its standard input has ended. */
const ENDING = 1000;

export class LineProcess {
  private readonly child: Child;
  private rest = "";
  private answered = 0;

  constructor(command: string) {
    const shell = process.platform === "win32" ? ["cmd.exe", "/d", "/s", "/c", command] : ["/bin/sh", "-c", command];
    this.child = new Child({ command: shell, env: withClients(process.env), hear: (text) => this.hear(text) });
  }

  /** Sends a request and waits for its answer. Throws an Error that says what went wrong, those of checkAnswer among them. */
  async ask(request: Request, timeout: number, signal: AbortSignal | undefined): Promise<void> {
    const send = (): void => void this.child.input().write(`${JSON.stringify(request)}\n`);
    const line = (await this.child.ask(send, timeout, signal)) as string;
    checkAnswer(line, request.case);
    this.answered = request.case;
    this.child.checkSound();
  }

  get stderr(): string {
    return this.child.stderr.trim();
  }

  get lastWords(): string {
    return this.child.lastWords;
  }

  /** Closes standard input and ends the process. Throws an Error that says what it wrote or left running. */
  async retire(): Promise<void> {
    const { failure, left } = await this.child.retire(0, ENDING);
    if (failure !== undefined) throw failure;
    if (this.rest.trim() !== "") throw this.extra(this.rest);
    if (left !== undefined) throw new Error(left);
  }

  kill(): void {
    this.child.kill();
  }

  private hear(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop()!;
    for (const line of lines) {
      if (this.child.isAsked) this.child.answer(line);
      else this.child.fail(this.extra(line));
    }
    if (this.rest.length > LONGEST_LINE) {
      this.rest = "";
      this.child.fail(new Error(`wrote more than ${LONGEST_LINE} characters to standard output without ending a line`));
    }
  }

  private extra(line: string): Error {
    const when = this.answered === 0 ? "before a request" : "in addition to its answers";
    return new Error(`wrote ${JSON.stringify(line.slice(0, 80))} to standard output ${when}, expected one line a case`);
  }
}

/** The environment of a candidate: Python finds the client, `import touchstone`. */
function withClients(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const path = [env.PYTHONPATH, pythonClient].filter((one) => one !== undefined && one !== "").join(delimiter);
  return { ...env, PYTHONPATH: path };
}
