import { testKernel } from "../rows.ts";

testKernel("adamw.forward");
