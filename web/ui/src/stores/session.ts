/** Who is signed in and what they may do. */
import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { api, forgetToken, type Schemas } from "@/api/client";
import { connectLive, disconnectLive } from "@/api/live";
import { setLocale, type Locale } from "@/i18n";

export type Me = Schemas["Me"];

export const useSession = defineStore("session", () => {
  const me = ref<Me | null>(null);
  const permissions = computed(() => new Set(me.value?.permissions ?? []));

  function take(answer: Me): void {
    me.value = answer;
    setLocale(answer.user.locale as Locale);
    connectLive();
  }

  /** Load the session once. Throws NotSignedIn. */
  async function ensure(): Promise<void> {
    if (me.value === null) take(await api.get("/api/auth/me"));
  }

  /** Sign in by the password. Resolves with the second step where one is to come: nobody is signed in then. */
  async function signIn(enterprise: string, username: string, password: string): Promise<Schemas["SecondStep"] | null> {
    forgetToken();
    const answer = (await api.post("/api/auth/sign-in", { body: { enterprise, username, password } })) as Me | Schemas["SecondStep"]; // 200 or 202
    forgetToken();
    if ("step" in answer) return answer;
    take(answer);
    return null;
  }

  /** Show another language and remember it for this user. */
  async function choose(locale: Locale): Promise<void> {
    setLocale(locale);
    take(await api.patch("/api/auth/me", { body: { locale } }));
  }

  function forget(): void {
    me.value = null;
    disconnectLive();
    forgetToken();
  }

  async function signOut(): Promise<void> {
    await api.post("/api/auth/sign-out");
    forget();
  }

  /** Whether the user's roles allow `permission`; true for none. */
  function can(permission: string | undefined): boolean {
    return permission === undefined || permissions.value.has(permission);
  }

  /** Whether an entry of the frame is shown to the user. */
  function shows(entry: { permission?: string; demo?: boolean }): boolean {
    return can(entry.permission) && (!entry.demo || me.value?.enterprise.is_demo === true);
  }

  return { me, permissions, shows, take, choose, ensure, signIn, signOut, forget, can };
});
