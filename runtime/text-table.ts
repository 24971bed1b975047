/** Columns for a person: as wide as their widest cell, numbers to the right. */
export interface TableOptions {
  /** Columns whose cells end where the column ends. */
  readonly right?: readonly number[]
  readonly indent?: string
}

export function textTable(
  rows: readonly (readonly string[])[],
  { right = [], indent = '' }: TableOptions = {},
): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  }
  const lines = rows.map((row) =>
    row.map((cell, column) =>
      right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    ),
  )
  return lines.map((cells) => `${indent}${cells.join('  ')}`.trimEnd() + '\n').join('')
}

/** What somebody else wrote, on one line: no control characters for the terminal, cut to fit. */
export function oneLine(text: string, mostCharacters: number): string {
  const plain = text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return plain.length <= mostCharacters ? plain : `${plain.slice(0, mostCharacters - 1)}…`
}
