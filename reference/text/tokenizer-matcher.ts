// The longest of several words that a text begins with: a tree of characters.

/** The word's number and its length in code units. */
export interface Match {
  readonly word: number;
  readonly length: number;
}

interface Node {
  readonly next: Map<number, Node>;
  word: number;
}

/** A matcher for words given with their numbers. The returned function matches the text from `at`. */
export function matcher(words: ReadonlyMap<string, number>): (text: string, at: number) => Match | undefined {
  const root: Node = { next: new Map(), word: -1 };
  for (const [text, word] of words) {
    let node = root;
    for (let i = 0; i < text.length; i++) {
      let child = node.next.get(text.charCodeAt(i));
      if (child === undefined) {
        child = { next: new Map(), word: -1 };
        node.next.set(text.charCodeAt(i), child);
      }
      node = child;
    }
    node.word = word;
  }
  if (words.size === 0) return () => undefined;
  return (text, at) => {
    let node: Node | undefined = root;
    let found: Match | undefined;
    for (let i = at; i < text.length; i++) {
      node = node.next.get(text.charCodeAt(i));
      if (node === undefined) break;
      if (node.word >= 0) found = { word: node.word, length: i + 1 - at };
    }
    return found;
  };
}
