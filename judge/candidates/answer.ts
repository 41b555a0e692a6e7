// A process's answer to a request: one line of JSON (docs/protocol.md).
import { isRecord, parseJson } from "../../formats/json.ts";
import { messageLine } from "../../formats/printable.ts";
import { reasonIn } from "./unsupported.ts";
import { ProtocolError, Unsupported } from "../../reference/candidate.ts";

/** The version of the protocol, in every request and every answer. Version 1 had no number. */
export const PROTOCOL = 2;

/** The candidate says that it cannot do a case; it keeps running. */
export class Refusal extends Error {}

/**
 * `{"protocol":2,"case":17}` is good. Throws Unsupported where the candidate refuses the case, and for any other answer an error that says
 * what is wrong.
 */
export function checkAnswer(line: string, number: number): void {
  const wrong = `answered ${JSON.stringify(line.slice(0, 80))}, expected {"protocol":${PROTOCOL},"case":${number}}`;
  let answer: unknown;
  try {
    answer = parseJson(line);
  } catch {
    throw new Error(wrong);
  }
  if (!isRecord(answer) || answer.case !== number) throw new Error(wrong);
  const { protocol = 1 } = answer;
  if (protocol !== PROTOCOL) {
    const spoken = JSON.stringify(protocol).slice(0, 20);
    throw new ProtocolError(`speaks protocol ${spoken}, expected ${PROTOCOL}: take golden/clients of this version`);
  }
  const { error, unsupported } = answer;
  if (Object.hasOwn(answer, "unsupported") && Object.hasOwn(answer, "error"))
    throw new Error(`${wrong}, or one of "error" and "unsupported"`);
  if (Object.hasOwn(answer, "unsupported")) {
    if (typeof unsupported !== "string") throw new Error(`${wrong}, or "unsupported" with a reason in words`);
    throw new Unsupported(reasonIn(unsupported));
  }
  if (!Object.hasOwn(answer, "error")) return;
  throw new Refusal(`said: ${messageLine(typeof error === "string" ? error : JSON.stringify(error))}`);
}
