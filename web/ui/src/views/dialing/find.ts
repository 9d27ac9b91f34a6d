/** A record of a list page, for its panel. Lists of settings are short: the panel takes its record from the list. */
import { ApiError } from "@/api/errors";

export function pick<T extends { id: number }>(items: readonly T[], id: string): T {
  const found = items.find((x) => x.id === Number(id));
  if (!found) throw new ApiError(404, { code: "not_found", message: "There is no such record.", fields: {}, params: {} });
  return found;
}
