import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/profile", component: () => import("./Profile.vue"), meta: { titleKey: "frame.profile" } }],
});
