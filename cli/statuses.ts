/** What the exit status of every command says. */
export const statuses = {
  /** Done, and nothing found. */
  good: 0,
  /** A kernel outside its bound, a tensor that differs, a fixture that changed. */
  finding: 1,
  /** Bad input, or no device. */
  badInput: 2,
  /** A defect of this program. */
  internalError: 3,
  /** Stopped by a signal. */
  interrupted: 130,
} as const;

/** The status of a command that looked for something. */
export function statusOf(hasFindings: boolean): number {
  return hasFindings ? statuses.finding : statuses.good;
}

/** For the --help of commands that look for something. */
export const findingsInHelp = `Exit status: ${statuses.good} nothing found, ${statuses.finding} a finding, ${statuses.badInput} bad input.`;

/** The table in --help. */
export const inHelp = `Exit status:
  ${statuses.good}    done, and nothing found
  ${statuses.finding}    a finding: a kernel outside its bound, a tensor that differs, a
       fixture that changed
  ${statuses.badInput}    bad input, or no device: one line says what, where and what was expected
  ${statuses.internalError}    a defect of this program, with its stack
  ${statuses.interrupted}  stopped by a signal
`;
