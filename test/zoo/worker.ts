// A process of the zoo's campaign: does each piece that it is sent.
import { type Work, work } from "./work.ts";

process.on("message", (piece: Work) => {
  void work(piece).then((done) => process.send?.(done));
});
