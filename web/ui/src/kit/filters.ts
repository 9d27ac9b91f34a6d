/** Filters that live in the address, so that a filtered list can be linked and Back works. */
import { inject, onScopeDispose, reactive, watch } from "vue";
import { matchedRouteKey, useRoute, useRouter, type RouteLocationNormalized } from "vue-router";

const WAIT_MS = 250;

/** `defaults` gives the names; a value equal to its default is left out of the address. */
export function useFilters<T extends Record<string, string>>(defaults: T): T {
  const route = useRoute();
  const router = useRouter();
  const path = route.path;
  const page = inject(matchedRouteKey, undefined)?.value;
  /** Whether this page stays: another one may have an address that begins with ours. */
  const stays = (at: RouteLocationNormalized): boolean => at.path.startsWith(path) && (!page || at.matched.includes(page));
  const read = (): T => {
    const one = (key: string): string => {
      const value = route.query[key];
      return typeof value === "string" ? value : (defaults[key] ?? "");
    };
    return Object.fromEntries(Object.keys(defaults).map((key) => [key, one(key)])) as T;
  };
  const filters = reactive(read()) as T;
  const differs = (now: T): boolean => {
    const there = read();
    return Object.keys(defaults).some((k) => now[k] !== there[k]);
  };
  const queryOf = (now: T): Record<string, string | undefined> =>
    Object.fromEntries(Object.keys(defaults).map((k) => [k, now[k] === defaults[k] ? undefined : now[k]]));
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due: T | undefined; // not in the address yet
  let going = false; // to another address
  function write(): void {
    if (going) {
      timer = setTimeout(write, WAIT_MS); // to replace the address now would take whoever is on the way back
      return;
    }
    const now = due;
    due = undefined;
    if (now && stays(router.currentRoute.value) && differs(now)) {
      void router.replace({ query: { ...route.query, ...queryOf(now), page: undefined } });
    }
  }
  watch(
    () => ({ ...filters }),
    (now) => {
      clearTimeout(timer);
      due = differs(now) ? now : undefined;
      if (due) timer = setTimeout(write, WAIT_MS);
    },
  );
  const hooks = [
    router.beforeEach((to) => {
      const now = due;
      due = undefined;
      going = true;
      // Whoever opens a row at once after a choice takes the choice along.
      if (now && stays(to)) return { path: to.path, hash: to.hash, query: { ...to.query, ...queryOf(now) } };
    }),
    router.afterEach(() => {
      going = false;
    }),
    router.onError(() => {
      going = false;
    }),
  ];
  onScopeDispose(() => {
    clearTimeout(timer);
    for (const off of hooks) off();
  });
  watch(
    () => route.query,
    () => {
      if (stays(router.currentRoute.value)) Object.assign(filters, read());
    },
  );
  return filters;
}
