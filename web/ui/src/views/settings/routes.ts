import { defineFeature, settingsEntries } from "@/frame/feature";
import { useSession } from "@/stores/session";

/** Whoever may set nothing has no such page, as the rail has no entry for it. */
const mayEnter = (to: { path: string }) =>
  settingsEntries.some((e) => useSession().can(e.permission)) || { name: "missing", params: { rest: to.path.slice(1).split("/") }, replace: true };

export default defineFeature({
  routes: [{ path: "/settings", name: "settings", component: () => import("./Settings.vue"), beforeEnter: mayEnter, meta: { titleKey: "frame.settings" } }],
});
