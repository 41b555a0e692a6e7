import { testBound } from "../rows.ts";

testBound("linear.forward");
testBound("linear.backward");
