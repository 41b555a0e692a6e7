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

/** A candidate speaks another version of the judge's protocol: nothing is known of its kernel. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

export interface Candidate {
  /** What it is, for people. */
  readonly name: string;
  /** Throws when it cannot compute: that is a finding too. FormatError, ProtocolError and Interrupted come from the judge. */
  readonly run: (inputs: Inputs, scalars: Scalars) => Promise<CandidateResult>;
  /** Keeps what the last case left behind, and says where; undefined where there is no room for it. */
  readonly keep?: () => string | undefined;
  /** Ends it. */
  readonly close?: () => Promise<void>;
}
