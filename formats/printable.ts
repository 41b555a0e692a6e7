// Text of others on its way to a terminal: names from files, words of candidates and libraries, arguments.
//
// A terminal obeys control characters (ESC and the C1 codes begin sequences that clear the screen, set its title or answer as if
// typed), a carriage return writes over what stands there, and Unicode's bidirectional and invisible characters make a line read as
// another one. All of them are shown as escapes.

const inLines = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
// A text keeps its lines, its tabs, and the joiners of scripts and emoji.
const inText = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
// What JSON.stringify leaves as it is. None of it can stand outside a string, except for the line feeds of the layout.
const inJson = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** No line that people read is longer. A path has up to 4,096 characters. */
const LONGEST_LINE = 10_000;

/** One line: control, format and separator characters and lone surrogates are written as escapes, `\u001b`. */
export function printable(text: string): string {
  return text.replace(inLines, (character) => `\\u${hexOf(character)}`);
}

/** `printable`, and cut where nobody would read on. */
export function printableLine(text: string): string {
  return printable(shortened(text, LONGEST_LINE));
}

/** No message of an error is longer, whatever path or name it holds. */
const LONGEST_MESSAGE = 500;
/** Of a longer one the end stays too, since it says what was expected. */
const MESSAGE_END = 150;

/** The message of an error: one line, and cut in its middle where it is longer than 500 characters. */
export function messageLine(text: string): string {
  const line = printable(middleCut(text.replaceAll(/\s*\n\s*/g, " "), LONGEST_MESSAGE));
  return middleCut(line, LONGEST_MESSAGE); // escapes take more room than what they stand for
}

function middleCut(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - MESSAGE_END - 3)} … ${text.slice(-MESSAGE_END)}`;
}

/** Prose of several lines, such as a model writes: as `printable`, but line feeds, tabs and joiners stay. */
export function printableText(text: string): string {
  return text.replace(inText, (character) => `\\u${hexOf(character)}`);
}

/** JSON of the same value in which every control and format character is an escape of JSON's own. */
export function printableJson(json: string): string {
  return json.replace(inJson, (character) =>
    Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i))}`).join(""),
  );
}

/** At most so many characters, and how many are left out. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} more characters)`;
}

/** "001b", or in braces beyond four digits. */
function hexOf(character: string): string {
  const code = character.codePointAt(0)!;
  return code > 0xffff ? `{${hex(code)}}` : hex(code);
}

function hex(code: number): string {
  return code.toString(16).padStart(4, "0");
}
