/* The training panel: list, one training with curves, sheets and figures, models, comparison. Needs training-chart.js and
   training-form.js. Everything shown comes from training/api; polling rests while nobody looks. */
(() => {
  'use strict';
  const EVERY = 2000;
  const COLORS = ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'];
  const METRICS = {ls: 'Ls', lc: 'Lc', gram: 'Gram', patches: 'patch MMD²', ssim: 'SSIM', lattice: 'lattice', glow: 'glow', fringe: 'fringe', hatching: 'hatching', seconds: 's/picture'};
  const HIGHER = ['ssim'];
  const STATES = {waiting: 'waiting for its turn', queued: 'training', running: 'training', paused: 'paused', done: 'done', failed: 'failed', cancelled: 'cancelled'};
  const TITLES = {pause: 'Pause', resume: 'Resume', change: 'Change settings …', cancel: 'Cancel', publish: 'Publish', delete: 'Delete'};
  let panel = null, overview = null, shown = null, other = null, busy = false, sure = '', refusal = '', unused = {}, hidden = new Set(['lr', 'it_per_s']);
  let at = {sheet: null, follow: true, log: false};

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      key.startsWith('on') ? element.addEventListener(key.slice(2), value) : element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  };
  const ask = async (path, body) => {
    const options = {cache: 'no-store', credentials: 'same-origin'};
    if (body) Object.assign(options, {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}});
    try {
      const answer = await fetch(`training/api/${path}`, options);
      const content = await answer.json();
      return answer.ok ? content : {error: content.error, code: content.code};
    } catch { return {code: 'offline', error: 'The server cannot be reached just now; trying again.'}; }
  };
  const send = (file, progress) => new Promise((settle) => {
    const request = new XMLHttpRequest();
    request.open('POST', `training/api/upload?name=${encodeURIComponent(file.name)}`);
    request.upload.addEventListener('progress', (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener('load', () => { try { settle(JSON.parse(request.responseText)); } catch { settle({error: 'The upload was refused.'}); } });
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.addEventListener('error', () => settle({error: 'The connection was lost; please upload it again.'}));
    request.send(file);
  });
  const part = (name) => panel.querySelector(`[data-part="${name}"]`);
  /* New children for a place; what had the keyboard's focus among the old ones has it again. */
  const renew = (place, ...children) => {
    const before = place.contains(document.activeElement) ? document.activeElement : null;
    const alike = () => [...place.querySelectorAll(before.tagName)].filter((one) => one.textContent === before.textContent);
    const which = before ? alike().indexOf(before) : -1;
    place.replaceChildren(...children);
    if (before) alike()[which]?.focus({preventScroll: true});
  };
  const {short} = window.trainingChart;
  const span = (seconds) => {
    if (seconds === null || seconds === undefined) return '';
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    const minutes = seconds / 60;
    return minutes < 90 ? `${Math.round(minutes)} min` : minutes < 2880 ? `${(minutes / 60).toFixed(1)} h` : `${(minutes / 1440).toFixed(1)} days`;
  };
  const state = (run) => {
    if (run.wish) return run.wish === 'pause' ? 'pausing' : 'cancelling';
    if (['queued', 'running'].includes(run.state)) return {check: 'checking the pictures', publish: 'publishing'}[run.phase] || 'training';
    return STATES[run.state] || run.state;
  };
  const pill = (run) => make('span', {class: `state ${run.state}`}, state(run));
  const publishing = (run) => run.phase === 'publish' && ['waiting', 'queued', 'running'].includes(run.state);
  const bar = (run) => {
    const inner = make('i'), share = publishing(run) ? run.share : run.progress;
    const unknown = share === null || (run.phase === 'check' && ['queued', 'running'].includes(run.state));
    if (share !== null) inner.style.width = `${(100 * share).toFixed(1)}%`;
    return make('div', {class: `bar${unknown ? ' busy' : ''}`, role: 'progressbar', 'aria-label': publishing(run) ? 'Publishing' : 'Steps done', 'aria-valuemin': '0', 'aria-valuemax': '100',
      ...(share === null ? {} : {'aria-valuenow': String(Math.round(100 * share))})}, inner);
  };

  // the door ----------------------------------------------------------------------------------------------------
  const door = (sentence = '') => {
    const field = make('input', {type: 'password', id: 'training-password', autocomplete: 'current-password', 'aria-describedby': 'training-note'});
    const note = make('p', {class: 'refused', role: 'alert', id: 'training-note'}, sentence);
    const form = make('form', {class: 'train-door', novalidate: ''}, make('label', {for: 'training-password'}, 'Password'), field, make('button', {class: 'pill primary'}, 'Enter'));
    const refuse = (words) => {
      note.textContent = words;
      words ? field.setAttribute('aria-invalid', 'true') : field.removeAttribute('aria-invalid');
    };
    field.addEventListener('input', () => refuse(''));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!field.value) refuse('Type the password first.');
      else {
        const answer = await ask('enter', {password: field.value});
        if (!answer.error) return refresh();
        refuse(answer.error);
      }
      field.select();
    });
    shown = null;
    panel.replaceChildren(make('section', {class: 'step'}, make('div', {class: 'train-head'}, make('h2', {}, 'Training')),
      make('p', {class: 'soft'}, 'Train, watch and publish models on the workers. For operators.'), form, note));
  };

  const leave = async () => {
    await ask('leave', {});
    overview = null;
    door();
  };

  // the frame ---------------------------------------------------------------------------------------------------
  const frame = () => {
    if (part('list')) return;
    panel.replaceChildren(make('div', {class: 'train-panel'},
      make('aside', {class: 'train-side'},
        make('section', {class: 'step'}, make('div', {class: 'train-head'}, make('h2', {}, 'Trainings'),
          make('span', {}, make('button', {type: 'button', class: 'pill primary small', onclick: fresh}, 'New'),
            make('button', {type: 'button', class: 'pill small', onclick: leave}, 'Log out'))), make('div', {'data-part': 'list'})),
        make('section', {class: 'step'}, make('div', {class: 'train-head'}, make('h2', {}, 'Models')), make('div', {'data-part': 'models'}))),
      make('section', {class: 'step train-main', 'data-part': 'main'})));
  };
  const list = () => {
    const runs = overview.runs;
    renew(part('list'), runs.length ? make('ul', {class: 'run-list'}, ...runs.map((run) => make('li', {},
      make('button', {type: 'button', class: 'run-card', 'aria-current': run.id === shown ? 'true' : 'false', onclick: () => show(run.id)},
        make('span', {class: 'run-top'}, make('strong', {}, run.name), pill(run)),
        make('span', {class: 'soft'}, `${run.task} · ${run.step.toLocaleString('en')} of ${run.steps.toLocaleString('en')} steps${run.versions.length ? ` · published as ${run.versions.join(', ')}` : ''}`),
        bar(run))))) : make('p', {class: 'soft'}, 'No training yet.'));
  };
  const models = () => {
    const names = [...new Set(overview.models.map((model) => model.name))];
    renew(part('models'), ...names.map((name) => {
      const versions = overview.models.filter((model) => model.name === name);
      const active = versions.find((model) => model.active);
      const lower = versions.filter((model) => active && model.version < active.version)[0];
      return make('div', {class: 'model'},
        make('div', {class: 'model-top'}, make('strong', {}, name), make('span', {class: 'soft'}, active && active.version ? `version ${active.version}` : 'shipped'),
          lower ? make('button', {type: 'button', class: 'pill quiet small', onclick: () => use(lower)}, lower.version ? `Back to version ${lower.version}` : 'Back to shipped') : null),
        unused.name === name ? make('p', {class: 'refused', role: 'alert'}, unused.sentence) : null,
        versions.length > 1 ? make('ul', {class: 'versions'}, ...versions.map((model) => make('li', {class: model.active ? 'active' : ''},
          make('span', {}, model.version ? `version ${model.version}` : 'shipped'), make('code', {title: model.sha256}, model.sha256.slice(0, 12)),
          model.version ? make('a', {href: `training/model/${name}/${model.version}/file.md`, target: '_blank', rel: 'noopener'}, 'card') : make('span', {}, ''),
          model.active ? make('span', {class: 'soft'}, 'in use') : make('button', {type: 'button', class: 'link', onclick: () => use(model)}, 'use')))) : null);
    }));
  };
  const use = async (model) => {
    const answer = await ask('model', {name: model.name, version: model.version});
    unused = answer.error ? {name: model.name, sentence: answer.error} : {};
    models();
    await refresh();
  };
  const alone = (sentence) => part('main').replaceChildren(make('p', {class: 'refused', role: 'alert'}, sentence));
  const empty = () => part('main').replaceChildren(make('div', {class: 'train-empty'}, make('p', {class: 'lead'}, 'Teach it a new hand'),
    make('p', {}, 'A training needs photos, styles and a recipe. It goes on when workers or the machine are restarted.'),
    make('button', {type: 'button', class: 'pill primary', onclick: fresh}, 'New training')));
  const fresh = () => {
    shown = 'new'; list();
    window.trainingForm.open(part('main'), make, overview, {ask, send, done: (id) => show(id), close: () => { shown = null; refresh(); }});
    if (innerWidth < 861) part('main').scrollIntoView({behavior: 'smooth'});
  };
  const show = async (id) => {
    shown = id; other = null; sure = refusal = ''; unused = {}; at = {sheet: null, follow: true, log: false};
    part('main').replaceChildren(make('p', {class: 'soft'}, 'One moment …'));
    await refresh();
    if (innerWidth < 861) part('main').scrollIntoView({behavior: 'smooth'});
  };

  // one training ------------------------------------------------------------------------------------------------
  const act = async (run, action) => {
    refusal = ''; unused = {};
    if (action === 'change') { head(run); return settings(run); }
    // A publication can be had again; everything else that ends something is asked about.
    const asks = ['cancel', 'publish', 'delete'].includes(action) && !(action === 'cancel' && publishing(run));
    if (asks && sure !== action) { sure = action; return head(run); }
    const method = part('method');
    sure = '';
    const answer = await ask('act', {training: run.id, action, ...(action === 'publish' && method ? {method: method.value} : {})});
    refusal = answer.error || '';
    if (action === 'delete' && !answer.error) shown = null;
    await refresh();
  };
  /* What a training goes by, to be changed before it goes on. The form stays as it is while the rest is drawn anew. */
  const settings = (run) => {
    const place = part('settings');
    const close = () => { place.replaceChildren(); place.hidden = true; };
    place.hidden = false;
    place.replaceChildren(window.trainingForm.change(make, run, {close, resume: async (fields) => {
      const answer = await ask('act', {training: run.id, action: 'resume', fields});
      if (!answer.error) { close(); await refresh(); }
      return answer;
    }}));
    place.querySelector('input, select')?.focus();
  };
  const actions = (run) => run.actions.flatMap((action) => action === 'resume' && run.form.length ? ['resume', 'change'] : [action]);
  const title = (run, action) => action === 'cancel' && publishing(run) ? 'Cancel publishing' : TITLES[action];
  const head = (run) => {
    const method = make('select', {'data-part': 'method', 'aria-label': 'Method that uses the weights'}, ...overview.methods.map((one) => make('option', {value: one.name}, one.title)));
    if (overview.methods.some((one) => one.name === run.method)) method.value = run.method;
    const buttons = sure && run.actions.includes(sure)
      ? [...(sure === 'publish' ? [make('span', {class: 'soft'}, 'as the model of'), method] : [make('span', {class: 'soft'}, sure === 'delete' ? 'Checkpoint, curves and sheets go; published models stay.' : 'It cannot be resumed.')]),
        make('button', {type: 'button', class: 'pill primary', onclick: () => act(run, sure)}, {publish: 'Evaluate and publish', cancel: 'Yes, cancel it', delete: 'Yes, delete it'}[sure]),
        make('button', {type: 'button', class: 'pill quiet', onclick: () => { sure = ''; head(run); }}, 'No')]
      : actions(run).map((action) => make('button', {type: 'button', class: `pill ${action === 'publish' || action === 'resume' ? 'primary' : 'quiet'}`, onclick: () => act(run, action)}, title(run, action)));
    if (!run.actions.includes('resume') && part('settings')) { part('settings').replaceChildren(); part('settings').hidden = true; }
    const facts = publishing(run) ? [run.doing || 'Waiting for a worker', run.share === null ? '' : `${Math.round(100 * run.share)} %`].filter(Boolean) : [`${run.step.toLocaleString('en')} of ${run.steps.toLocaleString('en')} steps`, run.speed && ['queued', 'running'].includes(run.state) ? `${short(run.speed)} it/s` : '',
      run.eta && ['queued', 'running'].includes(run.state) ? `about ${span(run.eta)} left` : '', run.seconds ? `${span(run.seconds)} trained` : '',
      run.slices ? `${run.slices} slices` : '', run.rollbacks ? `${run.rollbacks} of 3 rollbacks` : '', run.worker ? `on ${run.worker}` : ''].filter(Boolean);
    renew(part('head'), make('div', {class: 'train-head'}, make('h2', {}, run.name), pill(run), make('span', {class: 'soft id'}, run.id)),
      bar(run), make('p', {class: 'facts'}, facts.join(' · ')),
      run.message ? make('p', {class: run.state === 'failed' || run.state === 'paused' || run.message.startsWith('Not') ? 'refused' : 'message', role: 'status'}, run.message) : '',
      make('div', {class: 'train-actions'}, ...buttons), make('p', {class: 'refused', role: 'alert', 'data-part': 'refusal'}, refusal));
  };
  /* The curves are drawn by the server, for the width there is and without those that are hidden. */
  const wanted = (run) => {
    const main = part('main'), padding = getComputedStyle(main);
    const width = part('chart')?.clientWidth || main.clientWidth - parseFloat(padding.paddingLeft) - parseFloat(padding.paddingRight);
    return `training=${encodeURIComponent(run)}&width=${Math.round(width)}&hidden=${encodeURIComponent([...hidden].join())}`;
  };
  const legend = (run) => renew(part('legend'), ...run.names.map((name, index) => make('button', {type: 'button', class: `chip ${COLORS[index % 6]}`, 'aria-pressed': hidden.has(name) ? 'false' : 'true',
    onclick: async () => {
      hidden.has(name) ? hidden.delete(name) : hidden.add(name);
      legend(run);
      const asked = wanted(run.id), drawn = await ask(`chart?${asked}`);
      if (!drawn.error && shown === run.id && asked === wanted(run.id)) window.trainingChart.show(part('chart'), drawn);
    }}, {lr: 'learning rate', loss: 'whole loss'}[name] || name)));
  const chart = (run) => {
    legend(run);
    window.trainingChart.show(part('chart'), run.chart);
  };
  const sheets = (run) => {
    const place = part('sheets');
    if (place.dataset.known === String(run.sheets) || !run.sheets.length) { place.hidden = !run.sheets.length; return; }
    place.hidden = false;
    place.dataset.known = String(run.sheets);
    const newest = run.sheets.length - 1;
    if (at.follow || at.sheet === null) at.sheet = newest;
    const image = make('img', {alt: 'Held-out photos, styles and what the network makes of them'});
    const words = make('output', {class: 'soft', for: 'sheet-time'});
    const slider = make('input', {type: 'range', id: 'sheet-time', min: '0', max: String(newest), step: '1', value: String(at.sheet), 'aria-label': 'Milestone'});
    const set = () => {
      at.sheet = Number(slider.value); at.follow = at.sheet === newest;
      image.src = `training/sheet/${run.id}/${run.sheets[at.sheet]}.png`;
      words.textContent = `step ${run.sheets[at.sheet].toLocaleString('en')}, ${at.sheet + 1} of ${run.sheets.length}`;
    };
    slider.addEventListener('input', set);
    set();
    slider.hidden = !newest;
    renew(place, make('h3', {}, 'The same pairs through time'), make('div', {class: 'sheet-bar'}, slider, words), make('div', {class: 'sheet'}, image));
  };
  const figures = (run) => {
    const place = part('figures'), last = run.validation[run.validation.length - 1];
    place.hidden = !last;
    if (!last) return;
    const rows = [[`${run.name}, step ${last.step.toLocaleString('en')}`, last, 'mine'], ...Object.entries(run.reference).map(([title, row]) => [title, row, ''])];
    const names = Object.keys(METRICS).filter((name) => name in last);
    const keys = names.length ? names : Object.keys(last).filter((name) => name !== 'step');
    const best = Object.fromEntries(keys.map((name) => [name, (HIGHER.includes(name) ? Math.max : Math.min)(...rows.map(([, row]) => row[name] ?? (HIGHER.includes(name) ? -Infinity : Infinity)))]));
    renew(place, make('h3', {}, 'On the held-out pairs'), make('div', {class: 'scroll'}, make('table', {},
      make('thead', {}, make('tr', {}, make('th', {scope: 'col'}, 'model'), ...keys.map((name) => make('th', {scope: 'col'}, METRICS[name] || name)))),
      make('tbody', {}, ...rows.map(([title, row, kind]) => make('tr', {class: kind}, make('th', {scope: 'row'}, title),
        ...keys.map((name) => make('td', {class: rows.length > 1 && row[name] === best[name] ? 'best' : ''}, short(row[name])))))))),
      make('p', {class: 'soft'}, 'Lower is better, except SSIM. The models in use are measured on the same pairs by the same teacher.'));
  };
  const notes = (run) => {
    const problems = Object.values(run.check).flatMap((check) => Object.entries(check.findings).map(([kind, found]) => make('li', {},
      make('strong', {}, `${check.counts[kind]} ${kind} ${check.what}`), make('small', {}, found.map(([name, reason]) => `${name.split(/[/:]/).pop()}: ${reason}`).join('; ')))));
    const sentences = Object.values(run.check).map((check) => `${check.usable} of ${check.total} ${check.what} are usable, ${check.needed} are needed`).join('; ');
    const keep = (name, summary, build) => {
      const place = part(name);
      if (!place.firstChild) place.append(make('summary', {}, summary), make('div', {class: 'fold'}));
      else place.firstChild.textContent = summary;
      place.lastChild.replaceChildren(...build());
    };
    part('check').hidden = !sentences;
    keep('check', problems.length ? `Pictures: ${problems.length} remark${problems.length === 1 ? '' : 's'}` : 'Pictures: nothing to remark', () => [make('p', {}, `${sentences}.`), make('ul', {class: 'remarks'}, ...problems)]);
    keep('course', `Slices (${run.slices})`, () => [make('div', {class: 'scroll'}, make('table', {}, make('thead', {}, make('tr', {}, ...['#', 'what', 'steps', 'worker', 'outcome'].map((text) => make('th', {scope: 'col'}, text)))),
      make('tbody', {}, ...run.course.map((one) => make('tr', {class: one.outcome || 'now'}, make('td', {}, String(one.number)), make('td', {}, one.phase),
        make('td', {}, `${one.first_step} → ${one.last_step ?? '…'}`), make('td', {}, one.worker), make('td', {title: one.note || ''}, one.outcome || 'working'))))))]);
    keep('record', 'Record', () => {
      const flat = (value, prefix = '') => Object.entries(value).flatMap(([name, inner]) => inner && typeof inner === 'object' && !Array.isArray(inner) ? flat(inner, `${prefix}${name}.`) : [[prefix + name, inner]]);
      const lines = [...flat(run.record), ...flat(run.material), ...flat(run.recipe_fields)].filter(([, value]) => value !== null && value !== '');
      return [make('dl', {class: 'record'}, ...lines.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, Array.isArray(value) ? value.join(', ') : String(value))]))];
    });
    const log = part('log'), inner = log.querySelector('pre'), below = inner ? inner.scrollHeight - inner.scrollTop - inner.clientHeight < 30 : true;
    keep('log', 'Log', () => [make('pre', {tabindex: '0'}, run.log.join('\n'))]);
    if (below) log.querySelector('pre').scrollTop = 1e9;
  };
  const compare = async (run) => {
    const place = part('compare');
    const choices = overview.runs.filter((one) => one.id !== run.id && one.step);
    if (!place.firstChild) {
      const chooser = make('select', {'aria-label': 'Compare with'}, make('option', {value: ''}, 'Compare with …'));
      chooser.addEventListener('change', () => { other = chooser.value || null; compare(run); });
      place.append(chooser, make('div', {class: 'comparison'}));
    }
    const chooser = place.firstChild;
    if (chooser.options.length !== choices.length + 1) {
      chooser.replaceChildren(make('option', {value: ''}, 'Compare with …'), ...choices.map((one) => make('option', {value: one.id}, `${one.name} (${one.id})`)));
      chooser.value = other || '';
    }
    place.hidden = !choices.length;
    const view = place.lastChild;
    if (!other) return view.replaceChildren();
    const found = await ask(`compare?one=${encodeURIComponent(run.id)}&other=${encodeURIComponent(other)}&width=${place.clientWidth}`);
    if (found.error || !other) return view.replaceChildren(make('p', {class: 'refused'}, found.error || ''));
    const plot = make('div', {class: 'chart-place'});
    const cell = (line, index) => make('td', {class: line.better === index ? 'best' : ''}, typeof line.values[index] === 'number' ? short(line.values[index]) : line.values[index] === null ? '–' : String(line.values[index]));
    let group = '';
    const rows = found.lines.flatMap((line) => {
      const title = line.group === group ? [] : [make('tr', {class: 'group'}, make('th', {colspan: '3'}, line.group))];
      group = line.group;
      return [...title, make('tr', {}, make('th', {scope: 'row'}, line.name), cell(line, 0), cell(line, 1))];
    });
    view.replaceChildren(plot, make('div', {class: 'scroll'}, make('table', {}, make('thead', {}, make('tr', {}, make('th', {}, ''),
      ...found.runs.map((one, index) => make('th', {scope: 'col', class: COLORS[index]}, one.name)))), make('tbody', {}, ...rows))));
    window.trainingChart.show(plot, found.chart);
  };
  const detail = (run) => {
    if (part('head')?.dataset.run !== run.id) {
      part('main').replaceChildren(make('div', {'data-part': 'head', 'data-run': run.id}), make('div', {'data-part': 'settings', hidden: ''}), make('div', {class: 'curves'}, make('div', {class: 'legend', 'data-part': 'legend'}), make('div', {class: 'chart-place', 'data-part': 'chart'})),
        make('div', {'data-part': 'sheets', hidden: ''}), make('div', {'data-part': 'figures', hidden: ''}), make('div', {'data-part': 'compare'}),
        make('details', {'data-part': 'check'}), make('details', {'data-part': 'course'}), make('details', {'data-part': 'log'}), make('details', {'data-part': 'record'}));
      compare(run);
    }
    if (!sure) head(run);
    if (run.chart && !panel.querySelector('.chart-tip:not([hidden])')) chart(run);
    sheets(run); figures(run); notes(run);
  };

  // the clock ---------------------------------------------------------------------------------------------------
  // While a button is held down nothing is drawn anew: a click is one only if the button is still the same.
  let held = false;
  document.addEventListener('pointerdown', (event) => { held = !!panel?.contains(event.target); }, true);
  ['pointerup', 'pointercancel'].forEach((kind) => document.addEventListener(kind, () => setTimeout(() => { held = false; }), true));
  const refresh = async () => {
    if (busy) return;
    busy = true;
    try {
      const found = await ask('overview');
      if (['password', 'wrong_password', 'no_password'].includes(found.code)) { if (!panel.querySelector('.train-door')) door(found.code === 'password' ? '' : found.error); return; }
      if (found.error) { panel.dataset.trouble = found.error; return; }
      delete panel.dataset.trouble;
      if (held) return;
      overview = found;
      frame(); list(); models();
      if (!shown) { shown = overview.runs[0]?.id || null; list(); }
      if (!shown) return empty();
      if (shown === 'new') return;
      const one = shown, without = String([...hidden]), run = await ask(`detail?${wanted(one)}`);
      if (one !== shown || held) return;
      if (run.error) return alone(run.error);
      if (without !== String([...hidden])) delete run.chart;  // a curve was hidden or shown meanwhile
      detail(run);
    } finally { busy = false; }
  };
  const visible = () => panel && panel.isConnected && panel.offsetParent !== null && document.visibilityState === 'visible';
  const idle = () => overview && !overview.runs.some((run) => ['waiting', 'queued', 'running'].includes(run.state) || run.wish);
  let rounds = 0;
  setInterval(() => { if (visible() && overview && !panel.querySelector('.train-door') && (!idle() || ++rounds % 5 === 0)) refresh(); }, EVERY);
  const mount = () => {
    const found = document.getElementById('training-panel');
    if (!found || found === panel) return;
    panel = found; overview = null; shown = null;
    new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting) && !overview) refresh(); }).observe(panel);
    let width = 0;
    new ResizeObserver(() => { if (Math.abs(panel.clientWidth - width) > 8) { width = panel.clientWidth; if (overview) refresh(); } }).observe(panel);
  };
  new MutationObserver(mount).observe(document, {subtree: true, childList: true});
  mount();
})();
