/// <reference types="vite/client" />
import "vue-router";

declare module "vue-router" {
  interface RouteMeta {
    /** Anybody may open it, and it has no frame. */
    bare?: boolean;
    /** Without the frame, for a screen on the wall; the sign-in is needed all the same. */
    wall?: boolean;
    /** What the user needs to open it. */
    permission?: string;
    /** Key of the page's name. */
    titleKey?: string;
  }
}
