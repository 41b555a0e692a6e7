// Counts the words of a text as the text arrives. A word is spaces and the characters after them up to the next space or
// line's end: pieces are learnt within words, never across their ends. Spaces are U+2581, and one is put before the text, as
// in encoding.

export interface WordCounter {
  /** The next part of the text; parts may end anywhere except within a character. */
  add(text: string): void;
  /** The words and how often each was seen, in the order of their first. */
  finish(): ReadonlyMap<string, number>;
}

/** Most code points of a word, not counting spaces: longer words are cut, so that a text without spaces fits into memory. */
const LONGEST = 1024;
/** Different words kept; an engine's Map holds at most 2²⁴ entries. */
const MOST_WORDS = 1 << 23;
// A null character cannot be in a piece, U+FFFD stands for no text, and a line's end is a byte of its own in LLaMA's vocabulary.
const word = new RegExp(`\u2581{0,${LONGEST}}[^\u2581\n\0\ufffd]{1,${LONGEST}}|\u2581{1,${LONGEST}}`, "gu");

/** Counts words. Beyond `most` different ones the rarest are forgotten. */
export function wordCounter(most: number = MOST_WORDS): WordCounter {
  const counts = new Map<string, number>();
  let rest = "\u2581";
  let rare = 0;

  function count(found: string): void {
    counts.set(found, (counts.get(found) ?? 0) + 1);
    while (counts.size > most) {
      rare++;
      for (const [text, times] of counts) if (times <= rare) counts.delete(text);
    }
  }
  return {
    add(text) {
      const whole = rest + text.replaceAll(" ", "\u2581");
      rest = "";
      for (const { 0: found, index } of whole.matchAll(word)) {
        if (index + found.length === whole.length) rest = found; // It may go on.
        else count(found);
      }
    },
    finish() {
      if (rest !== "") count(rest);
      rest = "";
      return counts;
    },
  };
}
