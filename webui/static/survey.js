/* The survey as a rater meets it: consent, one picture at a time, thanks. Works in the page's tab and on /survey.
   A rating goes into this browser's storage first and leaves it only when the server has confirmed it. */
(() => {
  'use strict';

  // what this browser remembers ------------------------------------------------------------------------------------
  const TEXTS = window.surveyTexts;
  const KEPT = {visitor: 'alla-prima-rater', unsent: 'alla-prima-unsent', language: 'alla-prima-language', forget: 'alla-prima-forget'};
  const memory = {};  // a private window may have no storage
  const keep = {
    get: (name) => { try { return localStorage.getItem(KEPT[name]) ?? memory[name] ?? ''; } catch { return memory[name] ?? ''; } },
    set: (name, value) => {
      memory[name] = value;
      try { value ? localStorage.setItem(KEPT[name], value) : localStorage.removeItem(KEPT[name]); } catch { /* see above */ }
    },
  };
  const known = (code) => (Object.hasOwn(TEXTS, code) ? code : '');
  let language = known(keep.get('language')) || known((navigator.language || '').slice(0, 2)) || 'en';
  const say = (key, values = {}) => (TEXTS[language][key] ?? TEXTS.en[key]).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const decimal = (value) => value.toLocaleString(language, {minimumFractionDigits: 1, maximumFractionDigits: 1});
  const RETRY = 4000;  // milliseconds until what could not be shown is asked for again
  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  /* h('div.sheet', {attributes}, ...children): children are never read as HTML. */
  const h = (tag, attributes = {}, ...children) => {
    const [name, ...classes] = tag.split('.');
    const element = document.createElement(name);
    if (classes.length) element.className = classes.join(' ');
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, '');
      else if (value !== false && value != null) element.setAttribute(key, value);
    }
    element.append(...children.flat().filter((child) => child != null && child !== false && child !== ''));
    return element;
  };
  /* A button; what its press is refused for is said beside it, until it is pressed again or another screen comes. */
  const button = (label, action, kind = '') => {
    const pressed = h(`button.pill${kind && '.' + kind}`, {type: 'button', onclick: async (event) => {
      unsaid(pressed);
      pressed.disabled = true;
      try { await action(event); } catch (error) { beside(pressed, sentence(error)); } finally { pressed.disabled = false; }
    }}, label);
    return pressed;
  };
  const place = (pressed) => pressed.closest('.survey-actions') || pressed;
  const unsaid = (pressed) => place(pressed).parentElement?.querySelector(':scope > .refused')?.remove();
  const beside = (pressed, words) => {
    if (shown.news) return tell(words);  // the screen has a line of its own
    if (!pressed.isConnected) return failed(words);
    unsaid(pressed);
    place(pressed).after(h('p.refused', {role: 'alert'}, words));
    pressed.focus({preventScroll: true});
  };

  // talking to the server ------------------------------------------------------------------------------------------
  class Refused extends Error {
    constructor(status, sentence, code) { super(sentence); this.status = status; this.code = code; }
  }
  const ask = async (path, body, visitor = keep.get('visitor')) => {
    const options = {headers: {Accept: 'application/json', 'Accept-Language': language}, cache: 'no-store', credentials: 'omit'};
    if (visitor) options.headers.Authorization = `Bearer ${visitor}`;
    if (body !== undefined) Object.assign(options, {method: 'POST', body: JSON.stringify(body)});
    let answer;
    try { answer = await fetch(`survey/api/${path}`, options); } catch { throw new Refused(0, say('offline'), 'offline'); }
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    const translated = TEXTS[language][`error_${content.code}`];
    throw new Refused(answer.status, translated || content.error || say('trouble'), content.code);
  };

  /* Ratings that the server has not confirmed yet, oldest first. */
  const unsent = {
    read: () => { try { return JSON.parse(keep.get('unsent') || '[]'); } catch { return []; } },
    write: (list) => keep.set('unsent', list.length ? JSON.stringify(list) : ''),
    add: (rating) => {
      const same = (other) => ['visitor', 'study', 'item'].every((name) => other[name] === rating[name]);
      unsent.write([...unsent.read().filter((other) => !same(other)), rating]);
    },
    remove: (rating) => unsent.write(unsent.read().filter((other) => JSON.stringify(other) !== JSON.stringify(rating))),
  };
  /* What is to be said of saving stays over a change of screens: an answer may come just before it. */
  let news = '';
  const tell = (sentence) => { news = sentence; shown.news?.(sentence); };
  const deliver = async () => {
    let pause = 500;
    for (let [rating] = unsent.read(); rating; [rating] = unsent.read()) {
      const {visitor, ...what} = rating;
      try {
        await ask('rate', what, visitor);
        unsent.remove(rating);
        pause = 500;
      } catch (error) {
        if (error.status >= 400 && error.status < 500) {
          unsent.remove(rating);  // never to be taken: the study is closed, or the rater has withdrawn
          tell(error.message);
        } else {
          tell(say('retrying'));
          await wait(pause);
          pause = Math.min(2 * pause, 15000);
        }
      }
    }
    if (news === say('retrying')) tell('');
  };
  let sending = null;
  const send = () => (sending ??= deliver().finally(() => { sending = null; }));

  // showing --------------------------------------------------------------------------------------------------------
  let panel = null;
  let shown = {};  // what the present screen answers to: keys, news
  const show = (screen, answers, ...children) => {
    shown = answers;
    panel.replaceChildren(h(`div.survey-screen.${screen}`, {lang: language}, ...children));
    panel.dataset.screen = screen;
    const heading = panel.querySelector('h2');
    if (heading && panel.dataset.begun) {
      heading.tabIndex = -1;
      heading.focus({preventScroll: true});
      if (panel.getBoundingClientRect().top < 0) panel.scrollIntoView({block: 'start'});
    }
    panel.dataset.begun = 'yes';
  };
  const sentence = (error) => {
    if (!(error instanceof Refused)) console.error(error);
    return error instanceof Refused ? error.message : say('trouble');
  };
  /* What stands where nothing else can be shown; it goes by itself as soon as the server answers. */
  const failed = (words, passes = false) => {
    show('failed', {again: passes}, h('div.survey-card.narrow', {role: 'alert'}, h('p.lead', {}, words), h('div.survey-actions', {}, button(say('again'), start, 'primary'))));
    if (passes) setTimeout(retry, RETRY, shown);
  };
  const retry = (screen = shown) => {
    if (shown !== screen || !shown.again) return;
    if (panel.offsetParent) start();
    else setTimeout(retry, RETRY, screen);
  };
  const guard = (action) => async (...values) => {
    try { return await action(...values); } catch (error) {
      failed(sentence(error), !(error.status >= 400 && error.status < 500));
    }
  };
  const languages = () => h('div.languages', {role: 'group', 'aria-label': say('language')},
    Object.entries(TEXTS).map(([code, texts]) => h('button', {type: 'button', lang: code, 'aria-pressed': String(code === language),
      onclick: () => { language = code; keep.set('language', code); start(); }}, texts.name)));
  const bar = (value, all, ...inside) => h('div.segments', {role: 'progressbar', 'aria-label': say('progress'), 'aria-valuemin': 0, 'aria-valuemax': all, 'aria-valuenow': value}, ...inside);

  // screens --------------------------------------------------------------------------------------------------------
  const start = guard(async () => {
    const wanted = new URLSearchParams(location.search).get('study');
    const {studies} = await ask('studies');
    const one = studies.find((study) => study.id === wanted) || (studies.length === 1 && studies[0]);
    if (one) return enter(one);
    if (wanted && keep.get('visitor')) {  // a closed study still shows one's own mean
      const course = await ask(`course?study=${encodeURIComponent(wanted)}`).catch(() => null);
      if (course?.study.consented) return enter(course.study);
    }
    list(studies);
  });
  const overview = async () => list((await ask('studies')).studies);

  const list = (studies) => show('list', {},
    h('div.survey-top', {}, h('h2', {}, say('title')), languages()),
    h('p.lead', {}, say(studies.length ? 'choose' : 'none')),
    h('div.survey-cards', {}, studies.map((study) => h('article.survey-card', {},
      h('h3', {}, study.title), h('p', {}, study.question),
      h('div.meter', {}, bar(study.rated, study.asked, h('i', {style: `width:${(100 * study.rated) / Math.max(1, study.asked)}%`})),
        h('span', {}, study.rated ? say('of', {done: study.rated, all: study.asked}) : say('pictures', {all: study.asked}))),
      button(say(!study.rated ? 'begin' : study.rated < study.asked ? 'go_on' : 'see_mine'), () => enter(study), 'primary')))));

  const enter = async (study, greeting = '') => {
    if (!study.consented) return consent(study);
    const waiting = unsent.read();  // one that is confirmed meanwhile may be missing in the answer
    send();
    const course = await ask(`course?study=${encodeURIComponent(study.id)}`);
    for (const rating of waiting) {
      const mine = rating.study === study.id && rating.visitor === keep.get('visitor');
      const item = mine && course.items.find((one) => one.id === rating.item);
      if (item) item.score = rating.score;
    }
    const next = course.items.findIndex((item) => item.score == null);
    if (next < 0) return thanks(course);
    rate(course, next);
    if (greeting) tell(greeting);
  };

  const consent = (study) => show('consent', {}, h('div.survey-card.narrow', {},
    h('div.survey-top', {}, h('h2', {}, study.title), languages()),
    h('ul.facts', {}, ['fact_pictures', 'fact_stop', 'fact_keys'].map((fact) => h('li', {}, say(fact, {all: study.asked})))),
    h('section.consent-text', {'aria-label': say('consent'), lang: study.language}, h('h3', {}, say('consent')),
      study.consent.trim().split(/\n+/).map((part) => h('p', {}, part))),
    h('div.survey-actions', {},
      button(say('agree'), async () => {
        keep.set('visitor', (await ask('consent', {study: study.id})).visitor);
        await enter({...study, consented: true});
      }, 'primary'),
      button(say('not_now'), overview))));

  const rate = (course, index) => {
    const {study, items} = course;
    const item = items[index];
    const {low, high} = study.scale;
    const done = items.filter((other) => other.score != null).length;
    const note = h('p.saving', {role: 'status'});
    let decided = false;  // a double tap rates one picture, not two

    const choose = guard(async (score) => {
      if (decided || score < low || score > high) return;
      decided = true;
      panel.querySelector(`[data-score="${score}"]`)?.classList.add('taken');
      item.score = score;
      if (news !== say('retrying')) tell('');
      unsent.add({visitor: keep.get('visitor'), study: study.id, item: item.id, score});
      const delivered = send();
      await wait(200);
      const next = items.findIndex((other) => other.score == null);
      if (next >= 0) return rate(course, next);
      await delivered;
      await enter(study);
    });
    const undo = async () => {
      if (decided || !done) return;
      decided = true;
      tell('');
      try {
        await send();
        await takeBack(course);
      } catch (error) {
        decided = false;
        tell(sentence(error));
      }
    };
    const frame = (kind, large, what) => h(`figure.survey-picture.${kind}`, {},
      h('button', {type: 'button', 'aria-label': say('enlarge', {what: say(kind)}), onclick: () => enlarge(large, say(kind))},
        h('img', {src: item[kind], alt: say(`${kind}_alt`, {what}), decoding: 'async', draggable: 'false'})),
      h('figcaption', {}, say(kind)));
    const ends = {[low]: study.scale.low_label, [high]: study.scale.high_label};
    const grades = Array.from({length: high - low + 1}, (_, step) => low + step).map((score) => h('button.grade', {
      type: 'button', 'data-score': score, 'aria-pressed': String(item.before === score), onclick: () => choose(score),
      'aria-label': ends[score] ? `${score}: ${ends[score]}` : score, style: `--share:${(score - low) / Math.max(1, high - low)}`}, score));

    show('rate', {
      key: (key) => (key === 'Backspace' ? undo() : /^\d$/.test(key) && choose(key === '0' && low > 0 ? 10 : Number(key))),
      news: (sentence) => { note.textContent = sentence; },
    },
    h('div.survey-line', {}, h('p.place', {}, say('place', {place: index + 1, all: items.length})),
      bar(done, items.length, items.map((other, place) => h(`b${place === index ? '.now' : other.score != null ? '.done' : ''}`))),
      button(say('later'), overview, 'quiet')),
    h('div.easel', {}, h('div.sources', {}, frame('photo', item.photo_large, item.photo_title), frame('style', item.style_large, item.style_title)),
      frame('painting', item.painting)),
    h('div.scale', {role: 'group', 'aria-labelledby': 'survey-question', lang: study.language},
      h('span.end', {'aria-hidden': 'true'}, `${low} · ${ends[low]}`), h('h2', {id: 'survey-question'}, study.question),
      h('span.end.high', {'aria-hidden': 'true'}, `${ends[high]} · ${high}`),
      h('div.grades', {style: `--grades:${grades.length};--half:${Math.ceil(grades.length / 2)}`}, grades),
      h('div.under', {lang: language}, h('button.pill.quiet', {type: 'button', disabled: !done, onclick: undo}, say('undo')),
        h('p.keys', {'aria-hidden': 'true'}, say(high === 10 && low > 0 ? 'keys' : 'keys_short'))), note));
    note.textContent = news;
    const following = items.find((other, place) => place > index && other.score == null);
    if (following) for (const kind of ['painting', 'photo', 'style']) new Image().src = following[kind];
  };

  const takeBack = async (course) => {
    const {item: id, score} = await ask('undo', {study: course.study.id});
    const back = course.items.findIndex((one) => one.id === id);
    if (back < 0) return enter(course.study);
    Object.assign(course.items[back], {score: null, before: score});
    rate(course, back);
  };

  const enlarge = (src, label) => {
    const dialog = h('dialog.survey-large', {'aria-label': label, onclick: () => dialog.close(), onclose: () => dialog.remove()},
      h('img', {src, alt: label}), h('p', {}, say('close_hint')));
    panel.append(dialog);
    dialog.showModal();
  };

  const thanks = (course) => {
    const {study, means} = course;
    const {low, high} = study.scale;
    const place = (value) => `left:${(100 * (value - low)) / Math.max(1, high - low)}%`;
    const both = means.own != null && means.overall != null && means.raters > 1;
    const undo = () => takeBack(course);
    show('thanks', {}, h('div.survey-card.narrow', {},
      h('h2', {}, say('thanks')), study.thanks && h('p.lead', {lang: study.language}, study.thanks),
      means.own != null && h('div.versus', {},
        h('p.figure.mine', {}, h('b', {}, decimal(means.own)), h('span', {}, say('mine'))),
        both && h('p.figure.all', {}, h('b', {}, decimal(means.overall)), h('span', {}, say('everybody', {raters: means.raters})))),
      both ? h('div.ruler', {role: 'img', 'aria-label': say('ruler', {mine: decimal(means.own), all: decimal(means.overall)})},
        h('div.track', {}, h('em.all', {style: place(means.overall)}), h('em.mine', {style: place(means.own)})),
        h('div.marks', {}, Array.from({length: high - low + 1}, (_, step) => h('span', {}, low + step))))
        : h('p.alone', {}, say('you_only')),
      h('div.survey-actions', {}, button(say('change_last'), undo), button(say('other_studies'), overview)),
      elsewhere(study), withdraw()));
  };

  const elsewhere = (study) => {
    const box = h('div.elsewhere', {});
    const link = button(say('elsewhere'), async () => {
      const {token, bot} = await ask('link', {study: study.id});
      const address = new URL(`survey?study=${encodeURIComponent(study.id)}#join=${token}`, document.baseURI).href;
      const copy = button(say('copy'), async () => {
        try { await navigator.clipboard.writeText(address); copy.textContent = say('copied'); } catch { field.select(); }
      });
      const field = h('input', {type: 'text', readonly: true, value: address, 'aria-label': say('elsewhere'), onfocus: () => field.select()});
      box.replaceChildren(h('p', {}, say('elsewhere_text')), h('div.linked', {}, field, copy),
        bot && h('a.pill', {href: `https://t.me/${bot}?start=survey-${token}`, target: '_blank', rel: 'noreferrer'}, say('telegram')) || '');
    }, 'link');
    box.append(link);
    return box;
  };

  const withdraw = () => {
    const box = h('div.withdraw', {});
    const plain = () => box.replaceChildren(button(say('withdraw'), sure, 'link'));
    const sure = () => box.replaceChildren(h('p', {}, say('withdraw_sure')), h('div.survey-actions', {},
      button(say('withdraw_yes'), async () => { await forget(); box.replaceChildren(h('p', {role: 'status'}, say('withdrawn'))); await wait(1500); await guard(overview)(); }, 'quiet'),
      button(say('withdraw_no'), plain, 'quiet')));
    plain();
    return box;
  };
  const forget = async () => {
    unsent.write([]);
    await ask('withdraw', {}, keep.get('forget') || keep.get('visitor'));
    keep.set('forget', '');
    keep.set('visitor', '');
  };

  // coming in ------------------------------------------------------------------------------------------------------
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !panel?.offsetParent) return;
    if (event.target.closest?.('input, textarea, select, dialog, [contenteditable]') || !shown.key) return;
    if (!/^(\d|Backspace)$/.test(event.key)) return;
    event.preventDefault();
    shown.key(event.key);
  });
  window.addEventListener('online', () => { send(); retry(); });

  /* "Delete my data" beside the paintings means the ratings too, even when the server is away just then. */
  const forgetLater = () => keep.get('forget') && forget().catch((error) => error.status >= 400 && error.status < 500 && keep.set('forget', ''));
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('#forget-yes') || !keep.get('visitor')) return;
    keep.set('forget', keep.get('visitor'));
    forgetLater().then(() => panel && start());
  });
  window.addEventListener('online', forgetLater);
  forgetLater();

  /* A link from elsewhere carries the rater in its fragment, which browsers send to nobody. */
  const token = new URLSearchParams(location.hash.slice(1)).get('join');
  const join = guard(async () => {
    history.replaceState(null, '', location.pathname + location.search);
    const joined = await ask('join', {token});
    keep.set('visitor', joined.visitor);
    const {study} = await ask(`course?study=${encodeURIComponent(joined.study)}`);
    await enter(study, say('joined'));
  });

  const mount = () => {
    const found = document.getElementById('survey-panel');
    if (!found || found === panel) return;
    panel = found;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      send();
      token ? join() : start();
    });
    seen.observe(panel);
  };
  new MutationObserver(mount).observe(document, {subtree: true, childList: true});
  mount();
})();
