/**
 * A row of CSV. Text that a spreadsheet would run as a formula gets an apostrophe in front: cameras and people name
 * themselves. Numbers are ours and stay as they are; what is absent is an empty cell.
 */
export const csvLine = (cells: readonly (string | number | null | undefined)[]): string =>
  `${cells.map(csvCell).join(',')}\n`;

function csvCell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const harmless = /^[\s]*[=+\-@|%]/.test(value) ? `'${value}` : value;
  const text = harmless.replaceAll(/[\0-\u001f\u007f]+/g, ' ');
  return /[",;\n\r\t]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
