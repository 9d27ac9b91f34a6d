/** What `DataTable` takes. */
export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  per_page: number;
}

export interface Column {
  /** Field of the row, and name of the slot `cell-<key>`. */
  key: string;
  label: string;
  /** CSS width. */
  width?: string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** Left out until the user chooses it. */
  hidden?: boolean;
}
