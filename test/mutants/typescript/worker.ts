// A process that tries mutants of formulas and bounds, one at a time.
import { type Fate, FileJudge } from "./judge.ts";
import { mutantsOf, sourceFiles, textOf } from "./files.ts";
import type { Mutant } from "../sites.ts";

export interface Piece {
  readonly path: string;
  /** Its place among the file's mutants. */
  readonly place: number;
  readonly isExplained: boolean;
}

export interface Done extends Piece {
  readonly fate: Fate;
}

const files = new Map<string, { readonly judge: FileJudge; readonly mutants: readonly Mutant[] }>();

process.on("message", (piece: Piece) => {
  void answer(piece);
});

process.on("disconnect", () => process.exit());

async function answer(piece: Piece): Promise<void> {
  const { path, place, isExplained } = piece;
  let found = files.get(path);
  if (found === undefined) {
    const file = sourceFiles().find((one) => one.path === path)!;
    found = { judge: await FileJudge.of(file), mutants: mutantsOf(textOf(path)) };
    files.set(path, found);
  }
  const fate = await found.judge.fateOf(found.mutants[place]!.text, isExplained);
  process.send!({ ...piece, fate } satisfies Done);
}
