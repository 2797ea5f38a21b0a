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
      place.append(element('p', {className: 'text', dir: 'auto', textContent: data.instructions}));
    } else {
      place.append(byId('default-instructions').content.cloneNode(true));
    }
  }
  const what = data.axes ? 'Each is compared, and both summaries are rated.' : 'Each is compared.';
  byId('start-facts').textContent =
      `${countOf(data.items.length, 'pair')} of summaries. ${what} Answers stay in this browser ` +
      'until you download them; nothing is sent anywhere.';
  for (let value = 1; value <= 9; ++value) {
    const button = element('button', {type: 'button', textContent: value});
    button.dataset.value = value;
    button.setAttribute('aria-label', scaleMeaning(value));
    button.setAttribute('aria-pressed', 'false');
    button.setAttribute('aria-keyshortcuts', value);
    byId('scale-buttons').append(button);
  }
  byId('axes').hidden = !data.axes;
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

function scaleMeaning(value) {
  const strength = ['', 'slightly', 'somewhat', 'clearly', 'surely'][Math.abs(value - 5)];
  return value === 5 ? '5: no difference' : `${value}: ${value < 5 ? 'A' : 'B'} is ${strength} better`;
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
  if (name === 'start') {
    byId('name').focus({preventScroll: true});
  }
}

function showBar(state) {
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
  byId('back').disabled = state.at === 0;
  showAnswer(state);
  byId('post').scrollTop = 0;
  window.scrollTo(0, 0);
  byId('post-title').focus({preventScroll: true});
}

/** The answer to the pair that is shown. */
function showAnswer(state) {
  const answer = state.answers[data.items[state.at].pair];
  const missing = missingOf(answer);
  for (const button of byId('scale-buttons').children) {
    button.setAttribute('aria-pressed', Number(button.dataset.value) === answer.scale);
  }
  byId('lean').hidden = answer.scale !== 5;
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
  const last = state.at + 1 === data.items.length;
  byId('next').textContent = missing.length > 0 ? 'Skip' : last ? 'Finish' : 'Next';
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
      'Thank you. Download the answers and give the file to who asked you.' :
      'Below, judged pairs are filled and begun ones dashed. Answers can be downloaded at any time; the file says which are complete.';
  byId('overview-name').textContent = state.worker;
  for (const button of byId('pairs').querySelectorAll('button')) {
    const answer = state.answers[data.items[button.dataset.index].pair];
    const kind = isComplete(answer) ? 'judged' : isBegun(answer) ? 'begun' : 'open';
    button.className = kind;
    button.setAttribute('aria-label', `Pair ${Number(button.dataset.index) + 1}: ${kind}`);
  }
  showBar(state);
  window.scrollTo(0, 0);
  byId('overview-title').focus({preventScroll: true});
}
