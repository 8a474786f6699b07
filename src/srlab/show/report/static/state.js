// What is shown: a test set, a metric, some of the variants. Every other script listens to 'srlab:change'.
const data = JSON.parse(document.getElementById('data').textContent);
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const state = { scope: '', metric: '', shown: new Set(data.variants.keys()) };

function announce() {
  document.dispatchEvent(new CustomEvent('srlab:change'));
}

function isShown(element) {
  return !('variant' in element.dataset) || state.shown.has(Number(element.dataset.variant));
}

function chosen(id, fallback) {
  const select = document.getElementById(id);
  return select ? select.value : fallback;
}

function firstOf(name) {
  return $(`#leaderboard .switch`)?.dataset[name] ?? '';
}

function followControls() {
  state.scope = chosen('scope', firstOf('scope'));
  state.metric = chosen('metric', firstOf('metric'));
  announce();
}

function showChosen() {
  for (const part of $$('.switch')) {
    const { scope, metric } = part.dataset;
    part.hidden = (scope !== undefined && scope !== state.scope) || metric !== state.metric;
  }
  for (const part of $$('.plot [data-variant], .legend [data-variant], .card, .pane')) {
    part.classList.toggle('is-away', !isShown(part));
  }
}

// The theme is the system's unless the reader chooses; a browser that keeps nothing for files forgets it.
function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function setTheme(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

const theme = document.getElementById('theme');
theme.value = ['light', 'dark'].includes(remembered('srlab-theme')) ? remembered('srlab-theme') : 'auto';
setTheme(theme.value);
theme.addEventListener('change', () => { remembered('srlab-theme', theme.value); setTheme(theme.value); });

document.addEventListener('srlab:change', showChosen);
for (const id of ['scope', 'metric']) document.getElementById(id)?.addEventListener('change', followControls);

// A legend's name under the pointer: the other variants step back.
for (const entry of $$('.legend [data-variant]')) {
  const plot = () => $$('.plot [data-variant]', entry.closest('section'));
  entry.addEventListener('pointerenter', () => {
    for (const part of plot()) part.classList.toggle('is-dim', part.dataset.variant !== entry.dataset.variant);
  });
  entry.addEventListener('pointerleave', () => { for (const part of plot()) part.classList.remove('is-dim'); });
}
