// The form: a picture that is dropped is chosen, and what the server would refuse is told before it is sent.
const upload = $('.upload');

function inMegabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function tellFile(file) {
  $('#drop').classList.toggle('has-file', Boolean(file));
  if (file) $('#drop-name').textContent = `${file.name}, ${inMegabytes(file.size)}`;
}

function chosenNetworks() {
  const scale = $('[name=scale]:checked', upload)?.value;
  return $$('.networks', upload)
    .filter((group) => scale === undefined || group.dataset.scale === scale)
    .flatMap((group) => $$('[name=network]:checked', group));
}

function whyNot() {
  const file = $('[name=picture]', upload).files[0];
  const [mostBytes, mostNetworks] = [Number(upload.dataset.mostBytes), Number(upload.dataset.mostNetworks)];
  if (!file) return 'Choose a picture first.';
  if (file.size > mostBytes - 10000) return `The file is too large: at most ${inMegabytes(mostBytes)}.`;
  const { length } = chosenNetworks();
  if (length === 0) return 'Choose at least one network.';
  return length > mostNetworks ? `Choose at most ${mostNetworks} networks.` : '';
}

if (upload) {
  const [drop, input] = [$('#drop'), $('[name=picture]', upload)];
  input.addEventListener('change', () => tellFile(input.files[0]));
  for (const kind of ['dragenter', 'dragover']) {
    document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add('is-over'); });
  }
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) drop.classList.remove('is-over'); });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('is-over');
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    tellFile(input.files[0]);
  });
  upload.addEventListener('submit', (event) => {
    const why = whyNot();
    $('#send-status').textContent = why || 'Sending …';
    if (why) event.preventDefault();
  });
  tellFile(input.files[0]); // a page that one comes back to keeps its file
}

// A picture that waits, or a study that runs: the page is loaded again when there is something new.
async function ask(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the server is away; it is asked again
  }
}

const waiting = $('#waiting');
if (waiting) {
  const look = async () => {
    const found = await ask(`/result/${waiting.dataset.result}/state`);
    if (found && !['waiting', 'working'].includes(found.state)) {
      location.reload();
      return;
    }
    if (found) {
      const many = found.ahead === 1 ? '1 picture comes' : `${found.ahead} pictures come`;
      $('#doing').textContent = found.state === 'waiting' ? `It waits; ${many} before it.` : `At work: ${found.doing}`;
    }
    setTimeout(look, 400);
  };
  setTimeout(look, 200);
}

const study = $('#study');
if (study) {
  const look = async () => {
    const found = await ask(`/study/${study.dataset.study}/state`);
    if (found && found.state !== study.dataset.state) location.reload();
    else setTimeout(look, 4000);
  };
  setTimeout(look, 4000);
}

// The picture's own shape, which the report's square crops do not have.
const shape = $('.result');
if (shape) $('.viewer', shape)?.style.setProperty('--aspect', `${shape.dataset.width} / ${shape.dataset.height}`);
