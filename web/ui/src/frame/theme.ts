/** Light, dark, or as the system has it. Kept in this browser: it depends on the desk and its light, not on the person. */
import { ref } from "vue";

export type Theme = "system" | "light" | "dark";
const media = matchMedia("(prefers-color-scheme: dark)");

function kept(): Theme {
  const value = localStorage.getItem("theme");
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = ref<Theme>(kept());
export const isDark = ref(false);

function apply(): void {
  isDark.value = theme.value === "dark" || (theme.value === "system" && media.matches);
  document.documentElement.classList.toggle("dark", isDark.value);
}

export function setTheme(value: Theme): void {
  theme.value = value;
  localStorage.setItem("theme", value);
  apply();
}

export function followSystemTheme(): void {
  media.addEventListener("change", apply);
  apply();
}
