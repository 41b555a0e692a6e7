import { testBound } from "../rows.ts";

testBound("gradient-norm.forward");
