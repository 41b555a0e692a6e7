import { testBound } from "../rows.ts";

testBound("clip.forward");
