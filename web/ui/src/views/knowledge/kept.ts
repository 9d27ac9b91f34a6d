/** What is typed into the editor is kept in this browser until it is saved: a reload or a closed tab loses nothing. */
export interface Words {
  title: string;
  body: string;
  tags: string[];
  category_id: number | null;
  valid_until: string | null;
  campaign_ids: number[];
  queue_ids: number[];
}

interface Kept {
  revision: number;
  words: Words;
}

const keyOf = (user: number, id: string): string => `knowledge.${user}.${id}`;

export function kept(user: number, id: string): Kept | null {
  try {
    const found = JSON.parse(localStorage.getItem(keyOf(user, id)) ?? "null") as Kept | null;
    return found && typeof found.words.title === "string" ? found : null;
  } catch {
    return null;
  }
}

export function keep(user: number, id: string, revision: number, words: Words): void {
  localStorage.setItem(keyOf(user, id), JSON.stringify({ revision, words }));
}

export function forget(user: number, id: string): void {
  localStorage.removeItem(keyOf(user, id));
}
