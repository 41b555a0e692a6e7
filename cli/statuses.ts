// What the exit status of every command says.
import type { Word } from "../judge/conclusion.ts";

export const statuses = {
  /** Done, and nothing found. */
  good: 0,
  /** FAIL: a kernel outside its bound, a tensor that differs, a fixture that changed. */
  finding: 1,
  /** Bad input, or no device. */
  badInput: 2,
  /** A defect of this program. */
  internalError: 3,
  /** Nothing found, but too little judged for a verdict. */
  inconclusive: 4,
  /** Stopped by a signal. */
  interrupted: 130,
} as const;

const ofVerdict: Readonly<Record<Word, number>> = {
  pass: statuses.good,
  FAIL: statuses.finding,
  improbable: statuses.finding,
  inconclusive: statuses.inconclusive,
};

/** The status of a command that looked for something and cannot be inconclusive. */
export function statusOf(hasFindings: boolean): number {
  return hasFindings ? statuses.finding : statuses.good;
}

/** The status of a command that judged something. A signal's is its own, whatever was found before it came. */
export function statusOfVerdict(verdict: Word, isInterrupted = false): number {
  return isInterrupted ? statuses.interrupted : ofVerdict[verdict];
}

/** For the --help of commands that look for something. */
export const findingsInHelp = `Exit status: ${statuses.good} pass, ${statuses.finding} FAIL, ${statuses.badInput} bad input, ${statuses.internalError} a fault of this program,
${statuses.inconclusive} inconclusive, ${statuses.interrupted} interrupted.`;

/** The table in --help, of which docs/verdicts.md says more. */
export const inHelp = `Exit status:
  ${statuses.good}    pass: done, and nothing found
  ${statuses.finding}    FAIL: a kernel outside its bound, a tensor that differs, a fixture
       that changed; or improbable: errors that a correct kernel has
       with a tiny probability
  ${statuses.badInput}    bad input, or no device: one line says what, where and what was
       expected
  ${statuses.internalError}    a fault of this program, with its stack
  ${statuses.inconclusive}    inconclusive: nothing found, but too little judged for a verdict
  ${statuses.interrupted}  interrupted by a signal, whatever was found before it
`;
