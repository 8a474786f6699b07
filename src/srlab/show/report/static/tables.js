// Sorting by a heading: first the good end up, a second time the other way round. What is not known stays last.
function valueOf(row, key) {
  const cell = $$('td, th', row).find((one) => one.dataset.key === key);
  const text = cell?.dataset.value;
  if (text === undefined) return null;
  const number = text === 'inf' ? Infinity : Number(text);
  return Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
}

function sortBy(table, heading, direction) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, value: valueOf(row, heading.dataset.key) }));
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
    return direction * compare(a.value, b.value) || a.place - b.place;
  });
  body.append(...rows.map(({ row }) => row));
  for (const other of $$('th[data-key]', table.tHead)) other.removeAttribute('aria-sort');
  heading.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
  announce();
}

// A word above each table that is wider than its place; a screen reader says it with the region's name.
const sideways = new ResizeObserver((entries) => { for (const { target } of entries) tellWidth(target); });

function tellWidth(region) {
  const isWider = region.scrollWidth > region.clientWidth + 1;
  region.previousElementSibling.hidden = !isWider;
  region.ariaDescription = isWider ? 'Wider than the page: the arrow keys scroll it sideways' : null;
}

for (const region of $$('.scroll')) sideways.observe(region);

for (const table of $$('table[data-sortable]')) {
  for (const heading of $$('th', table.tHead)) {
    $('button', heading)?.addEventListener('click', () => {
      const first = 'lowFirst' in heading.dataset ? 1 : -1;
      const now = heading.getAttribute('aria-sort');
      const direction = now === null ? first : now === 'ascending' ? -1 : 1;
      sortBy(table, heading, direction);
    });
  }
}
