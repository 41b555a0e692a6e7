import { testKernel } from "../rows.ts";

testKernel("gradient-norm.forward");
