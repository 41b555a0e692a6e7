// Which texts may be pieces, as sentencepiece decides it with LLaMA's settings: of one script, digits alone, spaces alone or
// one space before other characters, and not too long.

/** The facts that decide whether a text may be joined to another. */
export interface Shape {
  /** Code points. */
  readonly length: number;
  /** The script of all its characters except spaces; undefined if it is only spaces. */
  readonly script: number | undefined;
  readonly isDigit: boolean;
  readonly beginsWithSpace: boolean;
}

const SPACE = "\u2581";

/** Characters of one row are of one kind; all others, punctuation and symbols among them, are a kind too. */
const scripts = [
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc]/u,
  ...(
    "Latin Cyrillic Greek Arabic Hangul Hebrew Devanagari Thai Bengali Tamil Telugu Georgian Armenian Gujarati Gurmukhi " +
    "Kannada Malayalam Oriya Sinhala Lao Tibetan Myanmar Khmer Ethiopic Mongolian Cherokee Bopomofo Syriac Thaana Inherited"
  )
    .split(" ")
    .map((name) => new RegExp(`\\p{Script=${name}}`, "u")),
  /\p{L}/u,
];

/** The shape of one character. */
export function shapeOf(character: string): Shape {
  const isSpace = character === SPACE;
  return {
    length: 1,
    script: isSpace ? undefined : scripts.findIndex((script) => script.test(character)),
    isDigit: /\p{Nd}/u.test(character),
    beginsWithSpace: isSpace,
  };
}

/** The shape of both joined; undefined if that may not be a piece. `longest`: code points. */
export function joined(left: Shape, right: Shape, longest: number): Shape | undefined {
  const length = left.length + right.length;
  if (length > longest || left.isDigit || right.isDigit) return undefined;
  const shape = { length, script: right.script, isDigit: false, beginsWithSpace: left.beginsWithSpace };
  const leftIsSpaces = left.script === undefined;
  if (right.beginsWithSpace) return leftIsSpaces && right.script === undefined ? shape : undefined;
  const fits = leftIsSpaces ? left.length === 1 : left.script === right.script;
  return fits ? shape : undefined;
}
