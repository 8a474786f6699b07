// Error maps: how far Y of each picture is from that of the reference, pixel by pixel, computed here from the crops.
const lumaOf = new Map(); // by image: Y of BT.601, [16, 235]

async function luma(image) {
  if (lumaOf.has(image)) return lumaOf.get(image);
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data: pixels } = context.getImageData(0, 0, canvas.width, canvas.height);
  const plane = new Float32Array(pixels.length / 4);
  for (let i = 0; i < plane.length; i += 1) {
    plane[i] = 16 + (65.481 * pixels[4 * i] + 128.553 * pixels[4 * i + 1] + 24.966 * pixels[4 * i + 2]) / 255;
  }
  lumaOf.set(image, plane);
  return plane;
}

async function drawError(pane, reference, most) {
  const image = $('img', pane);
  const [sr, hr] = [await luma(image), await luma(reference)];
  let canvas = $('canvas', pane);
  if (!canvas) {
    canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    $('.window', pane).append(canvas);
  }
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const picture = new ImageData(canvas.width, canvas.height);
  let total = 0;
  for (let i = 0; i < sr.length; i += 1) {
    const error = Math.abs(sr[i] - hr[i]);
    total += error;
    const [r, g, b] = data.colormap[Math.min(255, Math.round(255 * error / most))];
    picture.data.set([r, g, b, 255], 4 * i);
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
  const mean = (total / sr.length).toFixed(2);
  canvas.setAttribute('aria-label', `Difference of ${pane.dataset.label}: ${mean} levels of Y on average`);
  errorNote(pane).textContent = `mean difference ${mean} levels`;
}

function errorNote(pane) {
  let note = $('.error-note', pane);
  if (!note) {
    note = document.createElement('small');
    note.className = 'error-note';
    $('figcaption', pane).append(note);
  }
  return note;
}

async function drawErrors() {
  for (const part of $$('.pane canvas, .error-note', viewer)) part.hidden = true;
  if (view.mode !== 'errors') return;
  const most = Number(document.getElementById('error-scale').value);
  document.getElementById('error-most').textContent = most;
  const reference = paneNamed(document.getElementById('error-reference').value);
  if (!reference) return;
  for (const pane of panesOf(scenePart())) {
    if (pane === reference) continue;
    await drawError(pane, $('img', reference), most);
    for (const part of $$('canvas, .error-note', pane)) part.hidden = view.mode !== 'errors';
  }
}

if (viewer) {
  const stops = data.colormap.filter((_, level) => level % 15 === 0).map((color) => `rgb(${color.join(' ')})`);
  $('.ramp', viewer).style.background = `linear-gradient(90deg, ${stops.join(', ')})`;
  for (const id of ['error-reference', 'error-scale']) document.getElementById(id).addEventListener('change', drawErrors);
}
followControls();
