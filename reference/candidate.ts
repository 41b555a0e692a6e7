// A candidate claims to compute an op: inputs and scalars in, outputs out.
import type { DTypeName } from "./dtype.ts";
import type { Inputs, Operation, Outputs, Scalars } from "./operation.ts";
import type { Target } from "./targets.ts";

/**
 * A candidate's answer to one problem.
 *
 * @example
 * ```ts
 * import { type CandidateResult, tensor } from "touchstone-llama";
 *
 * const result: CandidateResult = { outputs: { y: tensor(new Float32Array(2), [2]) }, complaints: [] };
 * ```
 */
export interface CandidateResult {
  readonly outputs: Outputs;
  /** Faults other than wrong numbers, such as a guard overwritten or an input changed; empty if there are none. */
  readonly complaints: readonly string[];
  /** What the candidate took for it, without what the judge did: writing and reading files, say. */
  readonly milliseconds?: number;
}

/** The numbers of a case: what a candidate got, and what it gave. */
export interface Answered {
  readonly inputs: Inputs;
  readonly outputs: Outputs;
}

/** What was seen of how the invocations of a kernel meet in memory, on the inputs of one case. */
export interface RaceReport {
  /** Two accesses that no barrier orders, or a barrier that not all invocations reach, in words. */
  readonly races: readonly string[];
  /** Elements that depend on the order in which the invocations take turns, in words. */
  readonly unordered: readonly string[];
  /** Workgroups that were followed to their ends. */
  readonly workgroups: number;
  /** Why the others were not. */
  readonly stopped?: string;
}

/** A run was stopped from outside: nothing is known about its case. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** A candidate cannot be asked, since it does not exist or speaks another version of the judge's protocol: nothing is known about its kernel. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/**
 * Thrown by a candidate for a case that it does not support, with the reason: no failure. Refused cases are counted and listed, and too many
 * leave the verdict inconclusive.
 *
 * @example
 * ```ts
 * import { judge, ops, Unsupported } from "touchstone-llama";
 *
 * const { refusals } = await judge("softmax.forward", ({ x }, scalars) => {
 *   if (x.shape[1] > 4096) throw new Unsupported(`${x.shape[1]} classes`);
 *   return ops["softmax.forward"].reference({ x }, scalars);
 * }, { runs: 5 });
 * refusals?.reasons[0]; // { reason: "8193 classes", cases: 1, sizes: "C=8193", example: "softmax.forward R=1 C=8193 …" }
 * ```
 */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

/**
 * Something that claims to compute an op. Unlike a plain function it has complaints, files to keep, and an end.
 *
 * @example
 * ```ts
 * import { type Candidate, judge, ops } from "touchstone-llama";
 *
 * const inner = ops["add.forward"].reference;
 * const candidate: Candidate = {
 *   name: "mine",
 *   run: async (inputs, scalars) => ({ outputs: inner(inputs as never, scalars as never), complaints: [] }),
 *   close: async () => console.log("closed"),
 * };
 * const { passed } = await judge("add.forward", candidate, { runs: 5 });
 * ```
 */
export interface Candidate {
  /** A name for people to read. */
  readonly name: string;
  /** Throws Unsupported for a case that it refuses, and anything else when it cannot compute: that is a finding too. FormatError, ProtocolError and Interrupted come from the judge. */
  readonly run: (inputs: Inputs, scalars: Scalars) => Promise<CandidateResult>;
  /** The most bytes that it holds of one tensor, as a device that binds no more; cases of larger ones are not tried, and listed. */
  readonly mostBytes?: number;
  /** Looks for races in what a run on these inputs would do. Left out where nothing can be seen of a candidate's workgroups. */
  readonly races?: (inputs: Inputs, scalars: Scalars) => Promise<RaceReport>;
  /**
   * Starts anew: the next run finds nothing that earlier ones left, as in a new process. Left out where that cannot be done. Throws where
   * the end of what ran before is a finding.
   */
  readonly restart?: () => Promise<void>;
  /**
   * Whether it computes on copies of its own, as another process does: it cannot change the inputs that it is given, and what it returns is
   * nobody else's. The judge then makes no copies, which take as much memory again.
   */
  readonly isIsolated?: boolean;
  /**
   * Keeps the files of the last case, and says where; undefined if there is no room for them. Where the candidate has run other cases
   * since, the numbers of an earlier one are given, and files with them are kept.
   */
  readonly keep?: (earlier?: Answered) => string | undefined;
  /** Ends the candidate. */
  readonly close?: () => Promise<void>;
  /** The target whose accuracies are allowed, unless the caller names another. */
  readonly target?: Target;
  /**
   * The candidate for one op and dtype, if it must know them: for the layout of tensors on a device, or a process's requests.
   * `timeout` is what the judge's caller asked for, milliseconds for one case; such a candidate keeps to it by itself, or to a limit of
   * its own where nothing was asked for.
   */
  readonly under?: (operation: Operation, dtype: DTypeName, signal?: AbortSignal, timeout?: number) => Candidate;
}
