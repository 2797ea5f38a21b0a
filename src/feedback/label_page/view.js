// What is shown. Texts of the data become text nodes only.

const byId = (id) => document.getElementById(id);
const sideNames = {left: 'A', right: 'B'};

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Instructions, titles and the rows of buttons, which do not change. */
function buildPage() {
  document.title = data.title;
  byId('start-title').textContent = data.title;
  byId('bar-title').textContent = data.title;
  for (const place of document.querySelectorAll('.instructions')) {
    if (data.instructions) {
      place.append(element('p', {className: 'text', dir: 'auto'}, withBold(data.instructions)));
    } else {
      place.append(byId('default-instructions').content.cloneNode(true));
    }
  }
  const what = data.axes ? 'Each is compared, and both summaries are rated.' : 'Each is compared.';
  byId('start-facts').textContent =
      `${countOf(data.items.length, 'pair')} of summaries. ${what} Answers stay in this browser ` +
      'until you download them; nothing is sent anywhere.';
  for (let value = 1; value <= 9; ++value) {
    const button = element(
        'button', {type: 'button'},
        [element('b', {textContent: value}), element('span', {textContent: scaleWord(value)})]);
    button.dataset.value = value;
    button.setAttribute('aria-label', scaleMeaning(value));
    button.setAttribute('aria-pressed', 'false');
    button.setAttribute('aria-keyshortcuts', value);
    byId('scale-buttons').append(button);
  }
  byId('reason-buttons').append(...Object.entries(reasons).map(([reason, text], index) => {
    const button = element(
        'button', {type: 'button'},
        [element('b', {textContent: index + 1}), element('span', {textContent: text})]);
    button.dataset.reason = reason;
    button.setAttribute('aria-label', text);
    button.setAttribute('aria-keyshortcuts', index + 1);
    return button;
  }));
  byId('goes-on-box').hidden = data.axes;
  byId('axes-keys').hidden = !data.axes;
  if (data.axes) {
    for (const side of sides) {
      byId(`axes-${side}`).append(...axisNames.map((axis) => axisRow(side, axis)));
    }
  }
  byId('pairs').append(...data.items.map((item, index) => {
    const button = element('button', {type: 'button', textContent: index + 1});
    button.dataset.index = index;
    return element('li', {}, [button]);
  }));
}

function axisRow(side, axis) {
  const choices = [];
  for (let value = 1; value <= 7; ++value) {
    const input = element('input', {type: 'radio', name: `${side}-${axis}`, value});
    input.dataset.side = side;
    input.dataset.axis = axis;
    choices.push(element('label', {}, [input, element('span', {textContent: value})]));
  }
  const name = element('span', {id: `axis-${side}-${axis}`, textContent: `${sideNames[side]}: ${axis}`});
  const row = element('div', {className: 'axis'},
                      [name, element('div', {className: 'axis-values'}, choices)]);
  row.setAttribute('role', 'radiogroup');
  row.setAttribute('aria-labelledby', name.id);
  return row;
}

/** A text as nodes, with its **parts between stars** in bold. */
function withBold(text) {
  return text.split(/\*\*(\S(?:[^\n]*?\S)?)\*\*/)
      .map((part, index) => index % 2 === 1 ? element('strong', {textContent: part}) : part);
}

const strengthOf = (value) => ['', 'slightly', 'somewhat', 'clearly', 'surely'][Math.abs(value - 5)];
const betterOf = (value) => value < 5 ? 'A' : 'B';

function scaleWord(value) {
  return value === 5 ? 'no difference' : `${strengthOf(value)} ${betterOf(value)}`;
}

function scaleMeaning(value) {
  return value === 5 ? '5: no difference' : `${value}: ${betterOf(value)} is ${strengthOf(value)} better`;
}

/** A whole answer in words. */
function meaningOf(answer) {
  return answer.cannot !== null ? 'cannot be judged' :
      answer.scale === 5        ? `5, and ${sideNames[answer.lean]} if one must choose` :
                                  scaleMeaning(answer.scale);
}

function countOf(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function showNotice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = text === '';
}

/** Shows one of 'start', 'judge', 'overview'. */
function showPart(name) {
  for (const part of ['start', 'judge', 'overview']) {
    byId(part).hidden = part !== name;
  }
  byId('bar').hidden = name === 'start';
  byId('jump').hidden = name !== 'judge';
  if (name === 'start') {
    byId('name').focus({preventScroll: true});
  }
}

/** The first pair from the place on that is not judged; -1 if there is none. */
function openFrom(state, place) {
  return data.items.findIndex((item, index) => index >= place && !isComplete(state.answers[item.pair]));
}

const sittingLength = 50;  // pairs after which a break is proposed

function showBar(state) {
  const {judged} = state.sitting;
  byId('break').hidden = judged === 0 || judged % sittingLength !== 0 || openFrom(state, 0) < 0;
  byId('break').textContent =
      `${judged} pairs without a break: a few minutes away from the screen keep the next ones as careful.`;
  showDownloads(state);
  const done = data.items.filter((item) => isComplete(state.answers[item.pair])).length;
  const place = state.at < data.items.length ? `Pair ${state.at + 1} of ${data.items.length}` :
                                               countOf(data.items.length, 'pair');
  byId('place').textContent = place;
  byId('done').textContent = `, ${done} judged`;
  byId('progress').max = data.items.length;
  byId('progress').value = done;
}

/** A pair's texts, from the top of the page. */
function showPair(state) {
  const item = data.items[state.at];
  showPart('judge');
  byId('source').textContent = item.source;
  byId('source').hidden = item.source === '';
  byId('post-title').textContent = item.title || 'Article';
  byId('post-title').classList.toggle('no-title', item.title === '');
  byId('post-body').textContent = item.post;
  for (const [index, side] of sides.entries()) {
    byId(`summary-${side}`).querySelector('.text').textContent = item.summaries[index];
  }
  byId('note').value = state.answers[item.pair].note;
  showAnswer(state);
  byId('post').scrollTop = 0;
  window.scrollTo(0, 0);
  byId('post-title').focus({preventScroll: true});
  showJump();
}

/** The answer to the pair that is shown. */
function showAnswer(state) {
  const answer = state.answers[data.items[state.at].pair];
  const missing = missingOf(answer);
  for (const button of byId('scale-buttons').children) {
    button.setAttribute('aria-pressed', Number(button.dataset.value) === answer.scale);
  }
  byId('lean').hidden = answer.scale !== 5;
  byId('cannot').setAttribute('aria-pressed', answer.cannot !== null);
  byId('reasons').hidden = answer.cannot === null;
  byId('axes').hidden = !data.axes || answer.cannot !== null;
  for (const button of byId('reason-buttons').children) {
    button.setAttribute('aria-pressed', button.dataset.reason === answer.cannot);
  }
  byId('note-needed').textContent = answer.cannot === 'other' ? '(why it cannot be judged)' : '(not needed)';
  byId('goes-on').checked = state.goesOn;
  const chosen = answer.scale === null ? null :
      answer.scale === 5               ? answer.lean :
      answer.scale < 5                 ? 'left' : 'right';
  for (const side of sides) {
    byId(`lean-${side}`).setAttribute('aria-pressed', answer.lean === side);
    byId(`summary-${side}`).classList.toggle('chosen', chosen === side);
  }
  for (const input of document.querySelectorAll('#axes input')) {
    input.checked = answer[input.dataset.side][input.dataset.axis] === Number(input.value);
  }
  byId('next').textContent = missing.length > 0 ? 'Skip' : openFrom(state, 0) < 0 ? 'Finish' : 'Next';
  byId('next').classList.toggle('primary', missing.length === 0);
  const hint = hintOf(missing);
  if (byId('hint').textContent !== hint) {
    byId('hint').textContent = hint;  // is read aloud, so only when it is new
  }
  showBar(state);
}

function hintOf(missing) {
  if (missing.length === 0) {
    return '';
  }
  if (missing[0] === 'scale') {
    return 'Choose from 1 to 9.';
  }
  if (missing[0] === 'lean') {
    return 'Choose A or B.';
  }
  if (missing[0] === 'reason') {
    return 'Say why it cannot be judged.';
  }
  if (missing[0] === 'note') {
    return 'Say why in the note.';
  }
  const [side, axis] = missing[0];
  return missing.length === 1 ? `Rate the ${axis} of ${sideNames[side]}.` :
                                `${missing.length} ratings are left.`;
}

function showOverview(state) {
  showPart('overview');
  const open = data.items.filter((item) => !isComplete(state.answers[item.pair])).length;
  byId('overview-title').textContent =
      open === 0 ? 'All pairs are judged.' : `${countOf(open, 'pair')} left.`;
  byId('overview-text').textContent = open === 0 ?
      'Thank you. Download the answers and give the file to whoever asked you.' :
      'Below, judged pairs are filled, begun ones dashed, and those that cannot be judged grey. Answers can be downloaded at any time; the file says which are complete.';
  byId('go-on').hidden = open === 0;
  byId('go-on').textContent = open === 0 ? '' : `Go on with pair ${openFrom(state, 0) + 1}`;
  document.querySelector('#overview .download').classList.toggle('primary', open === 0);
  byId('overview-name').textContent = state.worker;
  for (const button of byId('pairs').querySelectorAll('button')) {
    const answer = state.answers[data.items[button.dataset.index].pair];
    const kind = !isComplete(answer) ? (isBegun(answer) ? 'begun' : 'open') :
        answer.cannot === null       ? 'judged' : 'unable';
    button.className = kind;
    button.setAttribute('aria-label', `Pair ${Number(button.dataset.index) + 1}: ${kind === 'unable' ? 'cannot be judged' : kind}`);
  }
  showBar(state);
  window.scrollTo(0, 0);
  byId('overview-title').focus({preventScroll: true});
}

/** Whether the last download has all answers, on the buttons and in the overview. */
function showDownloads(state) {
  const count = newAnswers(state);
  const isStale = state.downloaded !== '' && count > 0;
  const button = document.querySelector('#bar .download');
  button.textContent = isStale ? `Download (${count} new)` : 'Download';
  button.classList.toggle('stale', isStale);
  const when = new Date(state.downloaded).toLocaleString();
  byId('overview-stale').textContent =
      state.downloaded === '' ? (count > 0 ? 'Nothing has been downloaded yet.' : '') :
      count === 0             ? `Downloaded ${when}; nothing is newer.` :
          `${countOf(count, 'answer')} ${count === 1 ? 'is' : 'are'} newer than the last download (${when}). ` +
          'Download again before you give the file away.';
  byId('overview-stale').classList.toggle('stale', isStale);
}

/** Scrolls to a part of the pair, below the bar. */
function jumpTo(part) {
  window.scrollTo(0, window.scrollY + part.getBoundingClientRect().top - byId('bar').offsetHeight - 8);
}

/** Marks the parts of the pair that are on the screen. */
function showJump() {
  for (const button of byId('jump').children) {
    const {top, bottom} = byId(button.dataset.to).getBoundingClientRect();
    button.classList.toggle('seen', bottom > byId('bar').offsetHeight && top < byId('turn').getBoundingClientRect().top);
  }
}
