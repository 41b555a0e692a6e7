import { messageLine } from "../formats/printable.ts";

/** Bad input: its message says in one line what is wrong, where, and what was expected. The exit status is 2. */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(message: string, options?: ErrorOptions) {
    super(messageLine(message), options);
  }
}
