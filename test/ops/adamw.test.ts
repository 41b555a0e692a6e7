import { testBound } from "../rows.ts";

testBound("adamw.forward");
