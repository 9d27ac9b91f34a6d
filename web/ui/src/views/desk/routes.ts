import { Headset } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/desk", name: "desk", component: () => import("./Desk.vue"), meta: { titleKey: "desk.title", permission: "desk.use" } }],
  rail: [{ to: "/desk", icon: Headset, labelKey: "desk.title", permission: "desk.use", order: 10 }],
});
