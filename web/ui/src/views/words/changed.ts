/** Tells the box that tests a text when the page has changed the words. */
const listeners = new Set<() => unknown>();

export function onWordsChanged(listener: () => unknown): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function wordsChanged(): void {
  for (const listener of listeners) listener();
}
