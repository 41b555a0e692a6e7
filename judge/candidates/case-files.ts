// The files of a process's cases. The folder is the process's to write in, so nothing in it is what it was until that has been looked
// at: the process may remove the folder, change its inputs, or leave anything under the name of its outputs.
import { lstatSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answered } from "../../reference/candidate.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import { type Inputs, type Operation, type Outputs, storageOf } from "../../reference/operation.ts";
import { sizeOf, type Tensor } from "../../reference/tensor.ts";
import { FormatError } from "../../formats/error.ts";
import { messageLine } from "../../formats/printable.ts";
import { piecesOf } from "../../formats/bytes.ts";
import { openInput } from "../../formats/input.ts";
import { type DType, encodeSafetensors, openSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { asFormatError } from "../../formats/system-error.ts";
import { keepEvidence, makeScratch } from "./scratch.ts";

/** How each dtype is written to a file. */
const fileTypes: Readonly<Record<DTypeName, DType>> = {
  float64: "F64",
  float32: "F32",
  bfloat16: "BF16",
  float16: "F16",
};
/** Bytes of a file that are compared at a time. */
const PIECE = 2 ** 20;
/** What a file of outputs may hold apart from them: its header, and tensors that nobody asked for. */
const MOST_BESIDES = 2 ** 26;

export interface CasePaths {
  readonly inputs: string;
  readonly outputs: string;
}

/** The folder, made for the first case; a new one where the process has spoilt it. */
export class CaseFiles {
  private readonly operation: Operation;
  private readonly dtype: DTypeName;
  private readonly evidence: string | undefined;
  private readonly onUnkept: (why: string) => void;
  private folder: { readonly path: string; readonly inode: number } | undefined;
  private paths: CasePaths | undefined;
  private written: Parameters<typeof encodeSafetensors>[0] = new Map();
  private kept: string | undefined;

  constructor(
    operation: Operation,
    dtype: DTypeName,
    evidence: string | undefined,
    onUnkept: (why: string) => void = () => {},
  ) {
    this.operation = operation;
    this.dtype = dtype;
    this.evidence = evidence;
    this.onUnkept = onUnkept;
  }

  /** Writes the inputs of a case; the files of the one before are removed. Throws FormatError where there is no room for them. */
  write(number: number | "earlier", inputs: Inputs): CasePaths {
    this.written = this.contentOf(inputs);
    try {
      if (this.paths !== undefined) this.clear(Object.values(this.paths));
      this.folder ??= opened(makeScratch());
      const at = (part: string): string => join(this.folder!.path, `${number}.${part}.safetensors`);
      this.paths = { inputs: at("in"), outputs: at("out") };
      writeSafetensors(this.paths.inputs, this.written, this.metadata);
      return this.paths;
    } catch (error) {
      throw asFormatError(error, tmpdir(), "takes no files of a case", "a temporary folder with room");
    }
  }

  /** Throws an Error that says so where the process has removed or replaced its folder. */
  checkFolder(): void {
    if (this.folder === undefined) return;
    const found = lstatSync(this.folder.path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true && found.ino === this.folder.inode) return;
    this.abandon();
    throw new Error("removed or replaced the folder of its files, expected it to write its outputs there");
  }

  /** Whether the file of inputs has the bytes that were written. */
  hasInputs(): boolean {
    try {
      const path = this.paths!.inputs;
      const file = openInput(path, "the inputs");
      try {
        let [at, same] = [0, !lstatSync(path).isSymbolicLink()];
        const found = new Uint8Array(PIECE);
        encodeSafetensors(this.written, this.metadata, (bytes) => {
          for (const piece of piecesOf(bytes, PIECE)) {
            const own = found.subarray(0, piece.length);
            if (same) file.read(at, own);
            at += piece.length;
            same &&= Buffer.compare(own, piece) === 0;
          }
        });
        return same && at === file.size;
      } finally {
        file.close();
      }
    } catch {
      return false;
    }
  }

  /** Throws an Error where a process that refuses a case has changed its inputs, or written outputs all the same. */
  checkUntouched(): void {
    if (!this.hasInputs())
      throw new Error("refused a case, and its inputs file was changed, expected it to be left as it was");
    if (lstatSync(this.paths!.outputs, { throwIfNoEntry: false }) !== undefined)
      throw new Error("refused a case after it had written the file of its outputs, expected one or the other");
  }

  /** Reads only tensors with the names of the op's outputs, and only in the requested dtype and shape. */
  read(shapes: Readonly<Record<string, readonly number[]>>): Outputs {
    const { operation, dtype } = this;
    const path = this.paths!.outputs;
    checkRegular(path, this.bytesOf(shapes) + MOST_BESIDES);
    const file = openSafetensors(path);
    try {
      const outputs: Record<string, Tensor> = {};
      for (const name of Object.keys(operation.outputs)) {
        const entry = file.tensors.get(name);
        if (entry === undefined) throw new Error(`its outputs file has no tensor ${name}`);
        const expected = fileTypes[storageOf(operation, name, dtype)];
        if (entry.dtype !== expected) throw new Error(`its output ${name} is ${entry.dtype}, expected ${expected}`);
        if (entry.shape.join() !== shapes[name].join()) {
          throw new Error(`its output ${name} has shape [${entry.shape}], expected [${shapes[name]}]`);
        }
        outputs[name] = file.readFloats(name);
      }
      return outputs;
    } finally {
      file.close();
    }
  }

  /** Throws FormatError where the disk has no room for such outputs: that the process could not write them is not its fault. */
  checkRoom(shapes: Readonly<Record<string, readonly number[]>>): void {
    if (this.folder === undefined) return;
    let room: number;
    try {
      const { bavail, bsize } = statfsSync(this.folder.path);
      room = bavail * bsize;
    } catch {
      return; // the process has removed it
    }
    const needed = this.bytesOf(shapes) + 4096;
    if (room < needed)
      throw new FormatError(tmpdir(), `has room for ${room} bytes, expected ${needed} for a case's outputs`);
  }

  /**
   * A copy of the folder, with files of an earlier case in place of the last one's if it is given; undefined if there is no room for it,
   * which `onUnkept` gets in words.
   */
  keep(earlier?: Answered): string | undefined {
    try {
      if (earlier !== undefined) this.rewrite(earlier);
      if (this.kept !== undefined) rmSync(this.kept, { recursive: true, force: true });
      this.kept = undefined;
      this.kept = this.folder && keepEvidence(this.folder.path, this.operation.name, this.evidence);
    } catch (error) {
      this.onUnkept(messageLine((error as Error).message));
      return undefined;
    }
    return this.kept;
  }

  private rewrite({ inputs, outputs }: Answered): void {
    const { outputs: path } = this.write("earlier", inputs);
    writeSafetensors(path, this.contentOf(outputs), this.metadata);
  }

  remove(): void {
    if (this.folder !== undefined) this.clear([this.folder.path]);
    this.folder = undefined;
  }

  /** The next case has a new folder. */
  private abandon(): void {
    this.remove();
    this.paths = undefined;
  }

  private clear(paths: readonly string[]): void {
    try {
      for (const path of paths) rmSync(path, { force: true, recursive: true });
    } catch {
      this.folder = undefined; // what the process has locked is left to the next run
    }
  }

  private get metadata(): Readonly<Record<string, string>> {
    return { op: this.operation.name, dtype: this.dtype };
  }

  private contentOf(tensors: Inputs): Parameters<typeof encodeSafetensors>[0] {
    return new Map(Object.entries(tensors).map(([name, tensor]) => [name, { tensor, dtype: this.fileType(name) }]));
  }

  private fileType(name: string): DType {
    const { operation, dtype } = this;
    return operation.integers.includes(name) ? "I32" : fileTypes[storageOf(operation, name, dtype)];
  }

  private bytesOf(shapes: Readonly<Record<string, readonly number[]>>): number {
    return Object.values(shapes).reduce((sum, shape) => sum + 8 * sizeOf(shape), 0);
  }
}

function opened(path: string): { readonly path: string; readonly inode: number } {
  return { path, inode: lstatSync(path).ino };
}

/** Throws an Error unless there is a file of its own, and no longer than that. */
function checkRegular(path: string, most: number): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new Error("answered without its outputs file");
  if (!found.isFile()) {
    const what = found.isSymbolicLink() ? "a link" : found.isDirectory() ? "a folder" : "a pipe or a device";
    throw new Error(`its outputs file is ${what}, expected a regular file`);
  }
  if (found.size > most)
    throw new Error(`its outputs file has ${found.size} bytes, expected at most ${most} for its outputs`);
}
