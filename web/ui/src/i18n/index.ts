/** Languages. Texts: `src/i18n/<locale>.ts` and `src/frame/locales/<locale>.ts` (shared) and `src/views/<noun>/locales/<locale>.ts`, merged by their keys. */
import elementEn from "element-plus/es/locale/lang/en";
import elementZh from "element-plus/es/locale/lang/zh-cn";
import { computed } from "vue";
import { createI18n } from "vue-i18n";

export const LOCALES = ["en", "zh-CN"] as const;
export type Locale = (typeof LOCALES)[number];
type Messages = { [key: string]: string | Messages };

const files = import.meta.glob<{ default: Messages }>(["./en.ts", "./zh-CN.ts", "../frame/locales/*.ts", "../views/*/locales/*.ts"], { eager: true });

function merge(into: Messages, from: Messages): Messages {
  for (const [key, value] of Object.entries(from)) {
    const there = into[key];
    into[key] = typeof value === "object" ? merge(typeof there === "object" ? there : {}, value) : value;
  }
  return into;
}

function messages(locale: Locale): Messages {
  return Object.entries(files)
    .filter(([path]) => path.endsWith(`/${locale}.ts`))
    .reduce((all, [, file]) => merge(all, file.default), {} as Messages);
}

function preferred(): Locale {
  const kept = localStorage.getItem("locale");
  if (kept === "en" || kept === "zh-CN") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export const i18n = createI18n({
  legacy: false,
  locale: preferred(),
  fallbackLocale: "en",
  missingWarn: import.meta.env.DEV,
  fallbackWarn: import.meta.env.DEV,
  messages: { en: messages("en"), "zh-CN": messages("zh-CN") } as Record<Locale, Messages>,
});
document.documentElement.lang = preferred();

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale;
  localStorage.setItem("locale", locale);
  document.documentElement.lang = locale;
}

export function currentLocale(): Locale {
  return i18n.global.locale.value as Locale;
}

export const elementLocale = computed(() => (i18n.global.locale.value === "en" ? elementEn : elementZh));
