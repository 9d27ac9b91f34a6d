import { House } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/", name: "home", component: () => import("./Home.vue"), meta: { titleKey: "frame.home" } }],
  rail: [{ to: "/", icon: House, labelKey: "frame.home", order: 0 }],
});
