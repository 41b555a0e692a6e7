// A candidate is whatever claims to compute an op: inputs and scalars in, outputs out.
import type { Inputs, Outputs, Scalars } from "./operation.ts";

export interface CandidateResult {
  readonly outputs: Outputs;
  /** What is wrong beside the numbers: a guard overwritten, an input changed; empty when nothing is. */
  readonly complaints: readonly string[];
}

/** A run was stopped from outside: nothing is known of its case. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export interface Candidate {
  /** What it is, for people. */
  readonly name: string;
  /** Throws when it cannot compute: that is a finding too. FormatError and Interrupted are no word of the candidate's. */
  readonly run: (inputs: Inputs, scalars: Scalars) => Promise<CandidateResult>;
  /** Keeps what the last case left behind, and says where; undefined where there is no room for it. */
  readonly keep?: () => string | undefined;
  /** Ends it. */
  readonly close?: () => Promise<void>;
}
