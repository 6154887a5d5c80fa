/**
 * The program of a page: the heads of its tables become buttons that sort. Cells are compared by `data-value`, else by their text, and
 * empty ones come last.
 */
export const tableSorting = `
for (const table of document.querySelectorAll('table.sorted')) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const language = new Intl.Collator(undefined, { numeric: true });
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const isLast = (key) => key === '' || Number.isNaN(key);
  const compare = (a, b) => typeof a === 'number' && typeof b === 'number' ? (a < b ? -1 : a > b ? 1 : 0) : language.compare(a, b);
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute('aria-sort', 'none');
    button.addEventListener('click', () => {
      const way = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
      for (const other of heads) {
        other.setAttribute('aria-sort', other === head ? way : 'none');
      }
      const sign = way === 'ascending' ? 1 : -1;
      const rows = [...body.rows].map((row) => ({ row, key: keyOf(row, column) }));
      rows.sort((a, b) => isLast(a.key) - isLast(b.key) || (isLast(a.key) ? 0 : sign * compare(a.key, b.key)));
      body.append(...rows.map(({ row }) => row));
    });
  });
}
`;
