import { testBound } from "../rows.ts";

testBound("rope-table.forward");
