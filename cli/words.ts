export { counted } from "../reference/words.ts";
