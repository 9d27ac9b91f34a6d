/** Filters that live in the address, so that a filtered list can be linked and Back works. */
import { onScopeDispose, reactive, watch } from "vue";
import { useRoute, useRouter } from "vue-router";

/** `defaults` gives the names; a value equal to its default is left out of the address. */
export function useFilters<T extends Record<string, string>>(defaults: T): T {
  const route = useRoute();
  const router = useRouter();
  const path = route.path;
  const read = (): T => {
    const one = (key: string): string => {
      const value = route.query[key];
      return typeof value === "string" ? value : (defaults[key] ?? "");
    };
    return Object.fromEntries(Object.keys(defaults).map((key) => [key, one(key)])) as T;
  };
  const filters = reactive(read()) as T;
  let timer: ReturnType<typeof setTimeout> | undefined;
  watch(
    () => ({ ...filters }),
    (now) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (!route.path.startsWith(path)) return;
        const changed = Object.keys(defaults).some((k) => now[k] !== read()[k]);
        if (!changed) return;
        const own = Object.fromEntries(Object.keys(defaults).map((k) => [k, now[k] === defaults[k] ? undefined : now[k]]));
        void router.replace({ query: { ...route.query, ...own, page: undefined } });
      }, 250);
    },
  );
  // The page that comes next has filters of its own, and its address may begin with ours.
  onScopeDispose(() => clearTimeout(timer));
  watch(
    () => route.query,
    () => {
      if (route.path.startsWith(path)) Object.assign(filters, read());
    },
  );
  return filters;
}
