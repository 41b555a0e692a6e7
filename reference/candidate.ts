// A candidate is whatever claims to compute an op: inputs and scalars in, outputs out.
import type { DTypeName } from "./dtype.ts";
import type { Inputs, Operation, Outputs, Scalars } from "./operation.ts";
import type { Target } from "./targets.ts";

/**
 * What a candidate made of one problem.
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
  /** What is wrong beside the numbers: a guard overwritten, an input changed; empty when nothing is. */
  readonly complaints: readonly string[];
}

/** A run was stopped from outside: nothing is known of its case. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** A candidate speaks another version of the judge's protocol: nothing is known of its kernel. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/**
 * Whatever claims to compute an op, with what a function has not: complaints, files to keep, an end.
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
  /** What it is, for people. */
  readonly name: string;
  /** Throws when it cannot compute: that is a finding too. FormatError, ProtocolError and Interrupted come from the judge. */
  readonly run: (inputs: Inputs, scalars: Scalars) => Promise<CandidateResult>;
  /** Keeps what the last case left behind, and says where; undefined where there is no room for it. */
  readonly keep?: () => string | undefined;
  /** Ends it. */
  readonly close?: () => Promise<void>;
  /** Whose accuracies it is judged by, where nobody says otherwise. */
  readonly target?: Target;
  /** The same for one op and dtype, where it must know them: how tensors lie on a device, what a process is asked. */
  readonly under?: (operation: Operation, dtype: DTypeName, signal?: AbortSignal) => Candidate;
}
