/** Bad input: its message is the one line that says what, where and what was expected; the exit status is 2. */
export class UserError extends Error {
  override readonly name = "UserError";
}
