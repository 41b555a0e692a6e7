import { testKernel } from "../rows.ts";

testKernel("swiglu.forward");
testKernel("swiglu.backward");
