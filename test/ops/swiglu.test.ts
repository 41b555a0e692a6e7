import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("swiglu.forward");
testBound("swiglu.backward");
testShapes("swiglu.forward");
testShapes("swiglu.backward");
