// A process's answer to a request: one line of JSON (docs/protocol.md).
import { isRecord, parseJson } from "../../formats/json.ts";
import { messageLine } from "../../formats/printable.ts";
import { ProtocolError } from "../../reference/candidate.ts";

/** The version of the protocol, in every request and every answer. Version 1 had no number. */
export const PROTOCOL = 2;

/** The candidate says that it cannot do a case; it keeps running. */
export class Refusal extends Error {}

/** `{"protocol":2,"case":17}` is good. For any other answer, throws an error that says what is wrong. */
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
  if (!Object.hasOwn(answer, "error")) return;
  const { error } = answer;
  throw new Refusal(`said: ${messageLine(typeof error === "string" ? error : JSON.stringify(error))}`);
}
