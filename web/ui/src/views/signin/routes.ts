import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/sign-in", name: "sign-in", component: () => import("./SignIn.vue"), meta: { bare: true, titleKey: "signin.title" } }],
});
