/** Which dot stands for a token's state. */
import type { Schemas } from "@/api/client";

export const STATE_DOTS: Record<Schemas["ApiToken"]["state"], "available" | "paused" | "offline"> = {
  active: "available",
  expired: "paused",
  revoked: "offline",
};
