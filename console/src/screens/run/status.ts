// Which statuses of a run mean what.
import type { RunStatus } from "../../api/types";

export const LIVE: readonly RunStatus[] = ["pending", "running", "paused", "compensating", "completing", "canceling"];
export const ENDED: readonly string[] = ["succeeded", "failed", "canceled"];
export const STOPPED: readonly RunStatus[] = ["failed", "canceled"];
