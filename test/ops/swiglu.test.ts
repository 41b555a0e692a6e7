import { testBound } from "../rows.ts";

testBound("swiglu.forward");
testBound("swiglu.backward");
