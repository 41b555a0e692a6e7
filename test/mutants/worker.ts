// A process that puts mutants to the cases of their kernels, one at a time. It ends where the device hangs.
import { wgsl } from "../../kernels-gpu/texts.ts";
import { Bench, type Fate } from "./bench.ts";
import { type Mutant, mutantsOf } from "./sites.ts";

export interface Piece {
  readonly op: string;
  /** Its place among the kernel's mutants. */
  readonly place: number;
  /** Whether its line explains why no case can tell it from the kernel, and whether it only adds in another order. */
  readonly explained?: { readonly reorders: boolean };
}

export interface Done extends Piece {
  readonly fate: Fate;
}

const benches = new Map<string, { readonly bench: Bench; readonly mutants: readonly Mutant[] }>();

process.on("message", (piece: Piece) => {
  void answer(piece);
});

process.on("disconnect", () => process.exit());

async function answer(piece: Piece): Promise<void> {
  const { op, place, explained } = piece;
  let found = benches.get(op);
  if (found === undefined) {
    found = { bench: new Bench(op), mutants: mutantsOf(wgsl(op).source) };
    benches.set(op, found);
  }
  const { bench, mutants } = found;
  const mutant = mutants[place]!;
  let fate = await bench.fateOf(mutant);
  if (fate === "v" && explained !== undefined) fate = bench.refutes(mutant.text, explained.reorders) ? "x" : "e";
  process.send!({ ...piece, fate } satisfies Done, () => {
    if (fate === "h") process.exit(1); // nothing runs on this device any more
  });
}
