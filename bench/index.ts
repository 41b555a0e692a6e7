// `npm run bench`: how fast the parts are whose speed was designed. Each benchmark prints its own lines.
import { benchProduct } from "./product.ts";
import { benchTokenizer } from "./tokenizer.ts";

benchProduct();
benchTokenizer();
