// Normalises text to the form of the pieces: spaces are collapsed if the flags say so, a dummy space is added, and each is
// written as the pieces write it. The character map, which LLaMA's vocabularies leave empty, is not supported.
import type { Match } from "./tokenizer-matcher.ts";
import type { TokenizerModel } from "./tokenizer-model.ts";
import { REPLACEMENT } from "./tokenizer-utf8.ts";

/**
 * The text in the pieces' form. `match` finds user-defined pieces, which sentencepiece takes whole: a space within one counts
 * as an extra one only where the piece begins after a space.
 */
export function normalize(
  text: string,
  model: TokenizerModel,
  match: (text: string, at: number) => Match | undefined,
): string {
  const { addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces, treatWhitespaceAsSuffix } = model;
  const space = escapeWhitespaces ? model.space : " ";
  const whole = text.replaceAll(/\p{Surrogate}/gu, REPLACEMENT);
  const body = removeExtraWhitespaces ? collapse(whole, match) : whole;
  if (body === "") return "";
  const dummy = addDummyPrefix ? space : "";
  let form = space === " " ? body : body.replaceAll(" ", space);
  if (!treatWhitespaceAsSuffix) form = dummy + form;
  // The mark for a space is removed too if the text itself ends with it; so may the dummy be.
  if (removeExtraWhitespaces) form = withoutTrailing(form, space);
  return treatWhitespaceAsSuffix ? form + dummy : form;
}

// The text without the spaces at its beginning, and with only the first of each run of spaces.
function collapse(text: string, match: (text: string, at: number) => Match | undefined): string {
  const unitAt = (at: number): string => text.slice(at, at + (match(text, at)?.length ?? 1));
  let start = 0;
  while (start < text.length && unitAt(start) === " ") start++;
  const parts: string[] = [];
  let isAfterSpace = true;
  let copied = start; // The text between here and the current place is kept as it is.
  for (let at = start; at < text.length;) {
    const unit = unitAt(at);
    const kept: string = isAfterSpace && unit.startsWith(" ") ? unit.replace(/^ +/, "") : unit;
    if (kept !== unit) {
      parts.push(text.slice(copied, at), kept);
      copied = at + unit.length;
    }
    if (kept !== "") isAfterSpace = kept.endsWith(" ");
    at += unit.length;
  }
  parts.push(text.slice(copied));
  return parts.join("");
}

function withoutTrailing(text: string, ending: string): string {
  let end = text.length;
  while (text.startsWith(ending, end - ending.length) && end >= ending.length) end -= ending.length;
  return text.slice(0, end);
}
