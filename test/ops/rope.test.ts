import { testBound } from "../rows.ts";

testBound("rope.forward");
testBound("rope.backward");
