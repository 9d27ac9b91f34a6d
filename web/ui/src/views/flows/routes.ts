import { Workflow } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const PERMISSION = "flows.read";

export default defineFeature({
  routes: [
    {
      path: "/flows",
      name: "flows",
      component: () => import("./FlowList.vue"),
      meta: { titleKey: "flows.title", permission: PERMISSION },
      children: [{ path: "new", name: "flow-new", component: () => import("./NewFlow.vue"), meta: { titleKey: "flows.new", permission: "flows.write" } }],
    },
    {
      path: "/flows/:id(\\d+)",
      name: "flow",
      component: () => import("./EditorPage.vue"),
      props: (route) => ({ id: Number(route.params.id) }),
      meta: { titleKey: "flows.editor", permission: PERMISSION },
    },
    {
      path: "/flows/:id(\\d+)/compare/:a(\\d+)/:b(\\d+)",
      name: "flow-compare",
      component: () => import("./Compare.vue"),
      props: (route) => ({ id: Number(route.params.id), a: Number(route.params.a), b: Number(route.params.b) }),
      meta: { titleKey: "flows.compare", permission: PERMISSION },
    },
  ],
  rail: [{ to: "/flows", icon: Workflow, labelKey: "flows.title", permission: PERMISSION, order: 212 }],
});
