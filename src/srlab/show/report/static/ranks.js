// Ranks among the variants that are shown: Holm's correction over their pairs, in Shaffer's version, from the p-values
// in the page. It corrects by no more pairs than can be equal at once.
function equalAtOnce(number) {
  const possible = [new Set([0]), new Set([0])];
  for (let means = 2; means <= number; means += 1) {
    possible[means] = new Set();
    for (let size = 1; size <= means; size += 1) {
      for (const others of possible[means - size]) possible[means].add((size * (size - 1)) / 2 + others);
    }
  }
  return [...possible[Math.max(number, 1)]];
}

function holm(pairs, number) {
  const possible = equalAtOnce(number);
  const total = Math.max(...possible);
  const tested = pairs.filter(([, , p]) => p !== null).sort((a, b) => a[2] - b[2]);
  let largest = 0;
  return tested.map(([better, other, p], place) => {
    const left = tested.length - place;
    const equal = Math.max(...possible.filter((count) => count <= total - place));
    largest = Math.max(largest, Math.min(1, Math.min(left, equal) * p));
    return { better, other, p: largest };
  });
}

function ranksAmong(shown, pairs) {
  const ranked = new Set(pairs.flatMap(([a, b]) => [a, b]).filter((one) => shown.has(one))).size;
  const family = pairs.filter(([a, b]) => shown.has(a) && shown.has(b));
  const above = new Map([...shown].map((variant) => [variant, 0]));
  const below = new Map(above);
  for (const { better, other, p } of holm(family, ranked)) {
    if (p > data.alpha) continue;
    above.set(other, above.get(other) + 1);
    below.set(better, below.get(better) + 1);
  }
  const best = new Map([...above].map(([variant, count]) => [variant, count + 1]));
  return { family, best, below };
}

// The places from the best to the worst that the data allow, as 1 or 1-3; `num` variants have a place.
function places(best, below, num) {
  const worst = num - below;
  return best === worst ? `${best}` : `${best}-${worst}`;
}

function rankRows(table, best, below) {
  const ranked = [...table.tBodies[0].rows].filter(
    (row) => 'variant' in row.dataset && isShown(row) && hasRank($('[data-key=rank]', row)),
  ).length;
  for (const row of table.tBodies[0].rows) {
    row.hidden = !isShown(row);
    const cell = $('[data-key=rank]', row);
    if (!('variant' in row.dataset) || !cell || row.hidden) continue;
    if (!hasRank(cell)) continue; // it has no scores
    if (!('all' in cell.dataset)) Object.assign(cell.dataset, { all: cell.dataset.value, text: cell.textContent, hint: cell.title });
    const isWhole = state.shown.size === data.variants.length;
    const variant = Number(row.dataset.variant);
    cell.dataset.value = isWhole ? Number(cell.dataset.all) : best.get(variant);
    cell.textContent = isWhole ? cell.dataset.text : places(best.get(variant), below.get(variant), ranked);
    cell.title = isWhole ? cell.dataset.hint : 'Rank among the variants shown';
  }
}

function hasRank(cell) {
  return Boolean(cell?.dataset.value);
}

// A line between ranks, as long as the rows stand in their order.
function markGroups(table) {
  let last = null;
  let isOrdered = true;
  const starts = [];
  for (const row of table.tBodies[0].rows) {
    if (row.hidden || !('variant' in row.dataset)) continue;
    const rank = Number($('[data-key=rank]', row)?.dataset.value ?? NaN);
    if (Number.isNaN(rank)) continue;
    if (last !== null && rank < last) isOrdered = false;
    if (last !== null && rank > last) starts.push(row);
    last = rank;
  }
  for (const row of table.tBodies[0].rows) row.classList.toggle('new-group', isOrdered && starts.includes(row));
}

function updateRanks() {
  for (const part of $$('#leaderboard .switch')) {
    const table = $('table', part);
    const { scope, metric } = part.dataset;
    const { best, below, family } = ranksAmong(state.shown, data.tables[`${scope}|${metric}`] ?? []);
    rankRows(table, best, below);
    markGroups(table);
    if (!part.hidden) describe(family.length);
  }
  for (const table of $$('table[data-sortable]')) {
    if (!table.closest('#leaderboard')) for (const row of table.tBodies[0].rows) row.hidden = !isShown(row);
  }
}

function describe(pairs) {
  const all = data.variants.length;
  const some = state.shown.size;
  document.getElementById('filter-status').textContent = some === all
    ? `All ${all} variants are shown.`
    : `${some} of ${all} variants are shown. Ranks count these alone, with Holm's correction over their ${pairs} pairs. They hold only if you choose the variants without looking at their scores. Differences from the base do not change.`;
}

function setShown(variants) {
  state.shown = new Set(variants);
  for (const chip of $$('.chip')) chip.setAttribute('aria-pressed', state.shown.has(Number(chip.dataset.variant)));
  document.getElementById('show-all').hidden = state.shown.size === data.variants.length;
  announce();
}

document.addEventListener('srlab:change', updateRanks);

for (const chip of $$('.chip')) {
  chip.addEventListener('click', () => {
    const variant = Number(chip.dataset.variant);
    const next = new Set(state.shown);
    if (!next.delete(variant)) next.add(variant);
    setShown([...data.variants.keys()].filter((one) => next.has(one)));
  });
}

const nameFilter = document.getElementById('name-filter');
nameFilter?.addEventListener('input', () => {
  const words = nameFilter.value.toLowerCase().split(/\s+/).filter(Boolean);
  setShown([...data.variants.keys()].filter((one) => words.every((word) => data.variants[one].toLowerCase().includes(word))));
});
document.getElementById('show-all')?.addEventListener('click', () => {
  nameFilter.value = '';
  setShown(data.variants.keys());
});
