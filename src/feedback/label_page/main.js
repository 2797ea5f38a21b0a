// What the labeler does: clicks and keys, each of which is kept at once.

const canStore = storage.works();
let state = canStore ? storage.read() : newState();
let frozen = false;     // another tab has this page
let unsaved = false;    // something is neither stored nor downloaded
let lastTick = null;    // of the clock; null: it stands
const trail = [];       // the places that led here, for the way back

const isJudging = () => !byId('judge').hidden;
const answerNow = () => state.answers[data.items[state.at].pair];

const notStored =
    'This browser does not keep data for this page: answers are lost when it is closed. ' +
    'Download them before.';

function save() {
  if (frozen) {
    return;
  }
  const stored = canStore && storage.write(state);
  unsaved = !stored;
  byId('saved').textContent = stored ? 'Saved' : 'Not saved';
  if (!stored) {
    showNotice(canStore ? 'The answers could not be saved: the browser\'s storage is full. ' +
                          'Download them before you close this page.' : notStored);
  }
}

/** Changes the answer to the pair that is shown. */
function change(edit) {
  if (frozen) {
    return;
  }
  const answer = answerNow();
  const wasComplete = isComplete(answer);
  edit(answer);
  answer.isNew = true;
  if (!wasComplete && isComplete(answer)) {
    countJudged(state.sitting, Date.now());
  }
  settleClock();
  save();
  showAnswer(state);
}

/** Changes the answer, and goes on where the labeler wants that and nothing is missing. */
function choose(edit) {
  change(edit);
  const made = answerNow();
  if (state.goesOn && !data.axes && !frozen && isComplete(made)) {
    const told = `Pair ${state.at + 1}: ${meaningOf(made)}. Back changes it.`;
    goOn();
    if (isJudging()) {
      byId('hint').textContent = told;
    }
  }
}

function setScale(value) {
  choose((answer) => {
    answer.scale = value;
    answer.cannot = null;
    if (value !== 5) {
      answer.lean = null;
    }
  });
}

function setLean(side) {
  choose((answer) => {
    answer.lean = side;
  });
}

/** `reason` is a name of `reasons`, '' to ask for one, null to judge after all. */
function setCannot(reason) {
  const {at} = state;
  choose((answer) => {
    answer.cannot = reason;
    if (reason !== null) {
      answer.scale = null;
      answer.lean = null;
    }
  });
  if (state.at !== at) {
    return;
  }
  if (['reason', 'note'].includes(missingOf(answerNow())[0])) {
    focusMissing();
  } else if (reason) {
    reasonButton(reason).focus();
  }
}

function reasonButton(reason) {
  return byId('reason-buttons').querySelector(`[data-reason=${reason}]`);
}

/** To ask for a reason, or to judge after all. */
function turnCannot() {
  setCannot(answerNow().cannot === null ? '' : null);
}

/** Chooses on the scale, or among the reasons where one is asked for. */
function chooseByDigit(digit) {
  if (answerNow().cannot === null) {
    setScale(digit);
  } else if (digit <= Object.keys(reasons).length) {
    setCannot(Object.keys(reasons)[digit - 1]);
  }
}

function setAxis(side, axis, value) {
  change((answer) => {
    answer[side][axis] = value;
  });
}

/** To the pair `index`, or behind the last one to the overview. */
function goTo(index, isBack = false) {
  if (frozen || index < 0) {
    return;
  }
  settleClock();
  if (!isBack) {
    trail.push(state.at);
  }
  state.at = Math.min(index, data.items.length);
  save();
  show();
}

function show() {
  lastTick = null;
  if (state.worker === '') {
    showPart('start');
  } else if (state.at < data.items.length) {
    showPair(state);
    byId('back').disabled = trail.length === 0 && state.at === 0;
    startClock();
  } else {
    showOverview(state);
  }
}

/** To where the labeler came from. */
function goBack() {
  goTo(trail.pop() ?? state.at - 1, true);
}

/** The next open pair: behind this one, else the first of all; the overview where none is left, or to skip the last. */
function nextPlace() {
  const behind = openFrom(state, state.at + 1);
  const first = openFrom(state, 0);
  return behind >= 0 ? behind : isComplete(answerNow()) && first >= 0 ? first : data.items.length;
}

/** On if the pair is judged, else to what is missing. */
function goOn() {
  if (isComplete(answerNow())) {
    goTo(nextPlace());
  } else {
    focusMissing();
  }
}

function focusMissing() {
  const [first] = missingOf(answerNow());
  if (first === 'scale') {
    byId('scale-buttons').firstElementChild.focus();
  } else if (first === 'lean') {
    byId('lean-left').focus();
  } else if (first === 'reason') {
    byId('reason-buttons').firstElementChild.focus();
  } else if (first === 'note') {
    byId('note').focus();
  } else {
    document.querySelector(`#axes input[name="${first[0]}-${first[1]}"]`).focus();
  }
}

/** From a row of ratings to the next one, after the last to the button. */
function leaveAxis(input) {
  const rows = [...document.querySelectorAll('.axis')];
  const next = rows[rows.indexOf(input.closest('.axis')) + 1];
  const wanted = next?.querySelector('input:checked') ?? next?.querySelector('input');
  (wanted ?? byId('next')).focus();
}

// The clock of a pair runs while the page is visible. It is read every second and a longer gap,
// as of a computer that slept, counts as one.
function settleClock() {
  if (lastTick === null || !isJudging()) {
    return;
  }
  const now = performance.now();
  answerNow().seconds += Math.min(now - lastTick, 2000) / 1000;
  lastTick = now;
}

function startClock() {
  lastTick = isJudging() && document.visibilityState === 'visible' ? performance.now() : null;
}

function download() {
  if (frozen) {
    return;  // the other tab has newer answers, which a later time stamp must not replace
  }
  settleClock();
  const time = new Date().toISOString();
  const url = URL.createObjectURL(new Blob([toJsonLines(state, time)], {type: 'application/jsonl'}));
  element('a', {href: url, download: fileName(state)}).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  for (const item of data.items) {
    state.answers[item.pair].isNew = false;
  }
  state.downloaded = time;
  save();
  showDownloads(state);
  unsaved = false;
}

function openHelp() {
  byId('help').showModal();
  byId('help').scrollTop = 0;  // not where it was left the last time
}

const actions = {
  Enter: goOn,
  ArrowRight: () => wantsLean() ? setLean('right') : goTo(state.at + 1),
  ArrowLeft: () => wantsLean() ? setLean('left') : goTo(state.at - 1),
  Backspace: goBack,
  0: turnCannot,
  n: () => byId('note').focus(),
  a: () => answerNow().scale === 5 && setLean('left'),
  b: () => answerNow().scale === 5 && setLean('right'),
  Escape: () => byId('post-title').focus(),
};

function wantsLean() {
  return missingOf(answerNow())[0] === 'lean';
}

/** Buttons that Enter presses. A reason that is chosen already is none: from there Enter goes on. */
const pressedByEnter = '#bar button, #turn button, #reasons button:not([aria-pressed=true]), #cannot';

function onKey(event) {
  const {target} = event;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.isComposing || frozen || !byId('start').hidden || document.querySelector('dialog[open]')) {
    return;
  }
  const writes = target === byId('note');
  if (writes && key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    goOn();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || (writes && key !== 'Escape')) {
    return;
  }
  if (event.repeat && /^[0-9]$/.test(key)) {
    return;  // a key held down must not judge the next pair too
  }
  if (key === '?') {
    openHelp();
  } else if (!isJudging()) {
    if (key === 'Backspace' || key === 'ArrowLeft') {
      goBack();
    } else if (key === 'Enter' && !target.matches('button')) {
      byId('go-on').click();
    }
    return;
  } else if (target.matches('input[type=radio]') && /^([0-9]|Arrow.*)$/.test(key)) {
    if (!/^[1-7]$/.test(key)) {
      return;  // arrows are the browser's own here
    }
    setAxis(target.dataset.side, target.dataset.axis, Number(key));
    leaveAxis(target);
  } else if (/^[1-9]$/.test(key)) {
    chooseByDigit(Number(key));
  } else if (key === 'Enter' && target.matches(pressedByEnter) && !target.closest('[hidden]')) {
    return;  // the button's own
  } else if (Object.hasOwn(actions, key)) {
    actions[key]();
  } else {
    return;
  }
  event.preventDefault();
}

function listen() {
  document.addEventListener('keydown', onKey);
  byId('scale-buttons').addEventListener('click', ({target}) => {
    const button = target.closest('button');
    if (button) {
      setScale(Number(button.dataset.value));
    }
  });
  byId('cannot').addEventListener('click', turnCannot);
  byId('reason-buttons').addEventListener('click', ({target}) => {
    const button = target.closest('button');
    if (button) {
      setCannot(button.dataset.reason);
    }
  });
  byId('goes-on').addEventListener('change', ({target}) => {
    state.goesOn = target.checked;
    save();
  });
  for (const side of sides) {
    byId(`lean-${side}`).addEventListener('click', () => setLean(side));
  }
  byId('axes').addEventListener('change', ({target}) => {
    setAxis(target.dataset.side, target.dataset.axis, Number(target.value));
  });
  byId('note').addEventListener('input', ({target}) => change((answer) => {
    answer.note = target.value;
  }));
  byId('back').addEventListener('click', goBack);
  byId('next').addEventListener('click', () => goTo(nextPlace()));
  byId('go-on').addEventListener('click', () => goTo(openFrom(state, 0)));
  byId('open-overview').addEventListener('click', () => goTo(data.items.length));
  byId('pairs').addEventListener('click', ({target}) => {
    if (target.dataset.index) {
      goTo(Number(target.dataset.index));
    }
  });
  for (const button of document.querySelectorAll('.download')) {
    button.addEventListener('click', download);
  }
  for (const button of document.querySelectorAll('.open-help')) {
    button.addEventListener('click', openHelp);
  }
  byId('start-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = byId('name').value.trim();
    if (name !== '' && !frozen) {
      state.worker = name;
      save();
      show();
    }
  });
  byId('rename').addEventListener('click', () => {
    byId('name').value = state.worker;
    showPart('start');
  });
  byId('erase').addEventListener('click', () => {
    byId('sure').returnValue = 'no';
    byId('sure').showModal();
  });
  byId('sure').addEventListener('close', () => {
    if (byId('sure').returnValue === 'erase' && !frozen) {
      state = newState();
      trail.length = 0;
      save();
      byId('name').value = '';
      show();
    }
  });
  byId('jump').addEventListener('click', ({target}) => {
    if (target.dataset.to) {
      jumpTo(byId(target.dataset.to));
    }
  });
  window.addEventListener('scroll', showJump, {passive: true});
  window.addEventListener('resize', showJump, {passive: true});
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') {
      startClock();
    } else {
      settleClock();
      lastTick = null;
      save();
    }
  });
  window.addEventListener('pagehide', () => {
    settleClock();
    save();
  });
  window.addEventListener('beforeunload', (event) => {
    if (unsaved && data.items.some((item) => isBegun(state.answers[item.pair]))) {
      event.preventDefault();
    }
  });
  window.addEventListener('storage', (event) => {
    if (event.key === storage.name || event.key === null) {
      frozen = true;
      lastTick = null;
      document.querySelector('main').inert = true;
      byId('saved').textContent = '';
      showNotice('This page is in use in another tab or window. Close it there, then reload this one to go on.');
    }
  });
  setInterval(settleClock, 1000);
}

buildPage();
listen();
if (!canStore) {
  showNotice(notStored);
}
show();
