/// <reference types="vite/client" />
import "vue-router";

declare module "vue-router" {
  interface RouteMeta {
    /** Anybody may open it, and it has no frame. */
    bare?: boolean;
    /** What the user needs to open it. */
    permission?: string;
    /** Key of the page's name. */
    titleKey?: string;
  }
}
