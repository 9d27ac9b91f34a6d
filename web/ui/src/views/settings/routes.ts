import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/settings", name: "settings", component: () => import("./Settings.vue"), meta: { titleKey: "frame.settings" } }],
});
