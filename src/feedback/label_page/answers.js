'use strict';
// The answers of one labeler: what they are, how they are kept, and the file they become.

const data = JSON.parse(document.getElementById('data').textContent);
const axisNames = ['overall', 'accuracy', 'coverage', 'coherence'];
const sides = ['left', 'right'];

/** Why a pair cannot be judged: the name in the file, and the words of the button. */
const reasons = {
  unclear: 'The post or a summary cannot be understood',
  knowledge: 'It takes knowledge that I lack',
  upsetting: 'I do not want to read it',
  other: 'Another reason, said in the note',
};
const sittingGap = 10 * 60 * 1000;  // a pause of so many milliseconds is a break

/** `cannot` is a name of `reasons`, or '' while the reason is not said yet; `isNew`: since the last download. */
function newAnswer() {
  return {scale: null, lean: null, cannot: null, left: {}, right: {}, note: '', seconds: 0, isNew: false};
}

function isWithin(value, most) {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

/** What is missing, in the order in which it is asked for: 'scale', 'lean', [side, axis], 'reason' or 'note'. */
function missingOf(answer) {
  if (answer.cannot !== null) {
    return answer.cannot === '' ? ['reason'] :
        answer.cannot === 'other' && answer.note.trim() === '' ? ['note'] : [];
  }
  const missing = [];
  if (answer.scale === null) {
    missing.push('scale');
  } else if (answer.scale === 5 && answer.lean === null) {
    missing.push('lean');
  }
  if (data.axes) {
    for (const side of sides) {
      for (const axis of axisNames) {
        if (answer[side][axis] === undefined) {
          missing.push([side, axis]);
        }
      }
    }
  }
  return missing;
}

function isComplete(answer) {
  return missingOf(answer).length === 0;
}

function isBegun(answer) {
  return answer.scale !== null || answer.cannot !== null || answer.note !== '' ||
      sides.some((side) => Object.keys(answer[side]).length > 0);
}

/** A state read from storage, with only what can be an answer on this page. */
function mendedState(found) {
  const state = newState();
  const is = (value, type) => typeof value === type;
  state.worker = is(found.worker, 'string') ? found.worker : '';
  if (Number.isInteger(found.at) && found.at >= 0 && found.at <= data.items.length) {
    state.at = found.at;
  }
  state.goesOn = found.goesOn === true;
  state.downloaded = is(found.downloaded, 'string') ? found.downloaded : '';
  if (Number.isInteger(found.sitting?.judged) && is(found.sitting.last, 'number')) {
    state.sitting = {judged: found.sitting.judged, last: found.sitting.last};
  }
  for (const item of data.items) {
    const kept = found.answers?.[item.pair];
    const answer = state.answers[item.pair];
    if (!kept) {
      continue;
    }
    answer.cannot = kept.cannot === '' || Object.hasOwn(reasons, kept.cannot) ? kept.cannot : null;
    answer.scale = answer.cannot === null && isWithin(kept.scale, 9) ? kept.scale : null;
    answer.lean = answer.scale === 5 && sides.includes(kept.lean) ? kept.lean : null;
    answer.note = is(kept.note, 'string') ? kept.note : '';
    answer.seconds = is(kept.seconds, 'number') && kept.seconds >= 0 ? kept.seconds : 0;
    for (const side of sides) {
      for (const axis of axisNames) {
        if (isWithin(kept[side]?.[axis], 7)) {
          answer[side][axis] = kept[side][axis];
        }
      }
    }
    // Kept by a page that did not note downloads: perhaps never downloaded.
    answer.isNew = typeof kept.isNew === 'boolean' ? kept.isNew : isBegun(answer);
  }
  return state;
}

/**
 * `at` is the pair that is shown; one more than the last pair is the overview. `goesOn`: a choice leads to the next
 * pair. `downloaded` is the time of the last download, '' before the first. `sitting` counts the pairs that were
 * judged since the last break, and has the time of the last one.
 */
function newState() {
  const answers = Object.create(null);
  for (const item of data.items) {
    answers[item.pair] = newAnswer();
  }
  return {worker: '', at: 0, answers, goesOn: false, downloaded: '', sitting: {judged: 0, last: 0}};
}

/** What is kept in one of the browser's storages under a name: an object, or null. */
function copyIn(area, name) {
  try {
    return JSON.parse(area().getItem(name));
  } catch {
    return null;
  }
}

/**
 * The browser's storage under this page's own name. Each method says whether it worked.
 * A second copy belongs to the tab: Chromium has been seen to lose all of localStorage that was written in its
 * first seconds. The newer copy counts.
 */
const storage = {
  name: `precis label ${data.page}`,

  works() {
    try {
      const probe = `${this.name} probe`;
      localStorage.setItem(probe, 'x');
      const works = localStorage.getItem(probe) === 'x';
      localStorage.removeItem(probe);
      return works;
    } catch {
      return false;
    }
  },
  read() {
    const ofAllTabs = copyIn(() => localStorage, this.name);
    const ofThisTab = copyIn(() => sessionStorage, this.name);
    const newer = (ofThisTab?.saved ?? -1) > (ofAllTabs?.saved ?? -1) ? ofThisTab : ofAllTabs;
    return mendedState(newer ?? {});
  },
  write(state) {
    const text = JSON.stringify({...state, saved: Date.now()});
    try {
      sessionStorage.setItem(this.name, text);
    } catch {
      // The other copy says whether anything was kept.
    }
    try {
      localStorage.setItem(this.name, text);
      return true;
    } catch {
      return false;
    }
  },
};

/** Text in which no half of a surrogate pair stands alone, which JSON could not carry. */
function wellFormed(text) {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** Counts a pair that has just been judged, at `now` in milliseconds. */
function countJudged(sitting, now) {
  sitting.judged = now - sitting.last > sittingGap ? 1 : sitting.judged + 1;
  sitting.last = now;
}

/** How many answers the last download does not have. */
function newAnswers(state) {
  return data.items.filter((item) => state.answers[item.pair].isNew).length;
}

/** One line a pair, downloaded at `time`; those not judged to the end are marked. */
function toJsonLines(state, time) {
  const rate = (answer, side) =>
      Object.fromEntries(axisNames.map((axis) => [axis, answer[side][axis] ?? null]));
  const lines = data.items.map((item) => {
    const answer = state.answers[item.pair];
    return JSON.stringify({
      format: data.format,
      page: data.page,
      pairs: data.pairs,
      first: data.first,
      count: data.items.length,
      pair: item.pair,
      left: item.left,
      worker: wellFormed(state.worker),
      downloaded: time,
      complete: isComplete(answer),
      scale: answer.scale,
      lean: answer.lean,
      cannot_judge: answer.cannot || null,
      axes: data.axes && answer.cannot === null ? {left: rate(answer, 'left'), right: rate(answer, 'right')} : null,
      note: wellFormed(answer.note),
      seconds: Math.round(answer.seconds * 10) / 10,
    });
  });
  return lines.map((line) => line + '\n').join('');
}

/** "answers-ann-0123abcd.jsonl" */
function fileName(state) {
  const plain = state.worker.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
  return `answers-${plain || 'labeler'}-${data.page.slice(0, 8)}.jsonl`;
}
