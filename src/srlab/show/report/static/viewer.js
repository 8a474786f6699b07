// The pictures: one zoom and one place for all of them, whatever moves it.
const viewer = $('.viewer');
const MOST_ZOOM = 24;
const view = { x: 0, y: 0, zoom: 1, scene: 0, mode: 'side' };

// x and y are the top left corner, in percent of a window; nothing but the picture is ever in it.
function place(x, y, zoom) {
  view.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
  const least = 100 * (1 - view.zoom);
  view.x = Math.min(0, Math.max(least, x));
  view.y = Math.min(0, Math.max(least, y));
  viewer.style.setProperty('--x', view.x);
  viewer.style.setProperty('--y', view.y);
  viewer.style.setProperty('--zoom', view.zoom);
  viewer.classList.toggle('is-zoomed', view.zoom > 1);
  document.getElementById('zoom-level').value = `${view.zoom.toFixed(view.zoom < 10 && view.zoom % 1 ? 1 : 0)} ×`;
}

// Zooms about a point of a window given in percent, which stays where it is.
function zoomBy(factor, atX = 50, atY = 50) {
  const zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
  const ratio = zoom / view.zoom;
  place(atX - (atX - view.x) * ratio, atY - (atY - view.y) * ratio, zoom);
}

function pointIn(window_, event) {
  const box = window_.getBoundingClientRect();
  return { x: 100 * (event.clientX - box.left) / box.width, y: 100 * (event.clientY - box.top) / box.height };
}

function scenePart() {
  return $(`.scene[data-scene="${view.scene}"]`, viewer);
}

function panesOf(scene) {
  return $$('.pane', scene).filter(isShown);
}

function showScene() {
  for (const scene of $$('.scene', viewer)) scene.hidden = view.mode === 'slider' || scene !== scenePart();
  $('.slider', viewer).hidden = view.mode !== 'slider';
  for (const tool of $$('[data-for]', viewer)) tool.hidden = tool.dataset.for !== view.mode;
  viewer.dataset.mode = view.mode;
  fillChoices();
  if (view.mode === 'slider') showSlider();
  drawErrors();
}

// The selects name what the scene has; what was chosen stays chosen where it is there.
function fillChoices() {
  const names = panesOf(scenePart()).map((pane) => pane.dataset.label);
  const best = names.find((name) => name !== 'original' && name !== 'bicubic') ?? names[0];
  const wanted = {
    'slider-left': names.includes('bicubic') ? 'bicubic' : names[0],
    'slider-right': best,
    'error-reference': names.includes('original') ? 'original' : names[0],
  };
  for (const [id, fallback] of Object.entries(wanted)) {
    const select = document.getElementById(id);
    const before = select.value;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    select.value = names.includes(before) ? before : fallback;
  }
}

function paneNamed(name) {
  return panesOf(scenePart()).find((pane) => pane.dataset.label === name);
}

function showSlider() {
  for (const [side, image] of [['left', $('.under', viewer)], ['right', $('.over img', viewer)]]) {
    const pane = paneNamed(document.getElementById(`slider-${side}`).value);
    if (!pane) continue;
    image.src = $('img', pane).src;
    image.alt = $('img', pane).alt;
    document.getElementById(`${side}-name`).textContent = `${pane.dataset.label}, ${$('small', pane).textContent}`;
  }
}

function listen() {
  for (const radio of $$('input[name=scene]', viewer)) {
    radio.addEventListener('change', () => { view.scene = Number(radio.value); place(0, 0, 1); showScene(); });
  }
  for (const radio of $$('input[name=mode]', viewer)) {
    radio.addEventListener('change', () => { view.mode = radio.value; showScene(); });
  }
  for (const button of $$('[data-zoom]', viewer)) {
    button.addEventListener('click', () => {
      if (button.dataset.zoom === 'fit') place(0, 0, 1);
      else zoomBy(button.dataset.zoom === 'in' ? 1.5 : 1 / 1.5);
    });
  }
  for (const id of ['slider-left', 'slider-right']) document.getElementById(id).addEventListener('change', showSlider);
  const split = document.getElementById('split');
  split.addEventListener('input', () => viewer.style.setProperty('--split', split.value));
  for (const panes of $$('.panes', viewer)) panes.addEventListener('keydown', onKey);
  for (const window_ of $$('.window', viewer)) followPointers(window_);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 12;
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (event.key === '+' || event.key === '=') zoomBy(1.5);
  else if (event.key === '-') zoomBy(1 / 1.5);
  else if (event.key === '0') place(0, 0, 1);
  else if (event.key in moves && view.zoom > 1) place(view.x + moves[event.key][0], view.y + moves[event.key][1], view.zoom);
  else return;
  event.preventDefault();
}

// One finger or the mouse moves, two fingers zoom, Ctrl and the wheel too; the wheel alone scrolls the page.
function followPointers(window_) {
  const held = new Map();
  window_.addEventListener('pointerdown', (event) => {
    held.set(event.pointerId, pointIn(window_, event));
    window_.setPointerCapture(event.pointerId);
  });
  window_.addEventListener('pointermove', (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = pointIn(window_, event);
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const span = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      zoomBy(span(now) / span(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      place(view.x + now.x - before.x, view.y + now.y - before.y, view.zoom);
    }
    held.set(event.pointerId, now);
  });
  for (const end of ['pointerup', 'pointercancel']) window_.addEventListener(end, (event) => held.delete(event.pointerId));
  window_.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = pointIn(window_, event);
    zoomBy(Math.exp(-event.deltaY / 200), at.x, at.y);
  }, { passive: false });
}

if (viewer) {
  listen();
  document.addEventListener('srlab:change', showScene);
}
