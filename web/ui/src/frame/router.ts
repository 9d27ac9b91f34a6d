import { createRouter, createWebHistory } from "vue-router";
import { NotSignedIn } from "@/api/errors";
import { onSignedOut } from "@/api/client";
import { useSession } from "@/stores/session";
import { featureRoutes } from "./feature";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    ...featureRoutes,
    { path: "/:rest(.*)*", name: "missing", component: () => import("./MissingPage.vue"), meta: { titleKey: "frame.missing" } },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? undefined,
});

router.beforeEach(async (to) => {
  if (to.meta.bare) return true;
  const session = useSession();
  try {
    await session.ensure();
  } catch (error) {
    if (error instanceof NotSignedIn) return { name: "sign-in", query: { to: to.fullPath } };
    throw error;
  }
  const needed = to.matched.map((r) => r.meta.permission).filter((p) => p !== undefined);
  if (needed.some((p) => !session.can(p))) return { name: "missing", params: { rest: to.path.slice(1).split("/") }, replace: true };
  return true;
});

/** Once per address: a file that is missing for another reason must not reload for ever. */
const RELOADED = "reloaded-for";

// After an upgrade an open tab asks for files that are gone: load the page anew, which brings the new ones. A call lives
// through that, and what was typed on the desk is kept.
router.onError((error: unknown, to) => {
  if (!(error instanceof Error) || !/dynamically imported module|module script|preload CSS/i.test(error.message)) return;
  if (sessionStorage.getItem(RELOADED) === to.fullPath) return;
  sessionStorage.setItem(RELOADED, to.fullPath);
  window.location.assign(to.fullPath);
});
router.afterEach((_to, _from, failure) => {
  if (!failure) sessionStorage.removeItem(RELOADED);
});

// The session has ended while a page was open: sign in again and come back to the same place.
onSignedOut(() => {
  const here = router.currentRoute.value;
  if (here.meta.bare) return;
  useSession().forget();
  void router.replace({ name: "sign-in", query: { to: here.fullPath, ended: "1" } });
});
