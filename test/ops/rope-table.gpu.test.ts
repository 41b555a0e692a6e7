import { testKernel } from "../rows.ts";

testKernel("rope-table.forward");
