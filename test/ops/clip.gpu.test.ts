import { testKernel } from "../rows.ts";

testKernel("clip.forward");
