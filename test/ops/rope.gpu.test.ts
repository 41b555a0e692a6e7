import { testKernel } from "../rows.ts";

testKernel("rope.forward");
testKernel("rope.backward");
