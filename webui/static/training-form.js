/* The form that hands in a training: made from the recipe's own fields; used by training.js. */
(() => {
  'use strict';
  // What most people change; everything else waits in its section.
  const FIRST = ['steps', 'batch', 'seed', 'optim__lr', 'data__crop', 'data__hold_out'];
  const SECTIONS = {training: 'Course', network: 'Network', data: 'Pictures', optim: 'Optimiser', loss: 'Loss'};

  const field = (make, spec) => {
    const id = `recipe-${spec.key}`;
    let input;
    if (spec.kind === 'choice') {
      input = make('select', {id}, ...spec.choices.map((choice) => make('option', {value: choice}, choice)));
      input.value = spec.value;
    } else if (spec.kind === 'bool') {
      input = make('input', {id, type: 'checkbox'});
      input.checked = spec.value;
    } else {
      const number = spec.kind === 'int' || spec.kind === 'float';
      input = make('input', {id, type: number ? 'number' : 'text', value: spec.value ?? '', placeholder: spec.none ? 'none' : '', autocomplete: 'off'});
      if (number) {
        input.step = spec.kind === 'int' ? '1' : 'any';
        if (spec.minimum !== null) input.min = spec.minimum;
        if (spec.maximum !== null) input.max = spec.maximum;
      }
    }
    input.dataset.key = spec.key;
    input.addEventListener('input', () => { input.removeAttribute('aria-invalid'); input.closest('label')?.querySelector('.refused')?.remove(); });
    const note = spec.help ? make('small', {}, spec.help) : '';
    const title = make('span', {}, spec.label);
    return make('label', {class: `train-field ${spec.kind}`, for: id}, ...(spec.kind === 'bool' ? [input, title] : [title, input]), note);
  };

  /* Fields in their sections; those that most people change come first, in the open. */
  const sections = (make, specs) => {
    const groups = new Map();
    for (const spec of specs.filter((spec) => !FIRST.includes(spec.key))) groups.set(spec.section, [...(groups.get(spec.section) || []), spec]);
    const first = FIRST.map((key) => specs.find((spec) => spec.key === key)).filter(Boolean);
    return [make('div', {class: 'train-grid'}, ...first.map((spec) => field(make, spec))),
      ...[...groups].map(([section, found]) => make('details', {}, make('summary', {}, `${SECTIONS[section] || section}`, make('small', {}, `${found.length} more fields`)),
        make('div', {class: 'train-grid'}, ...found.map((spec) => field(make, spec)))))];
  };
  const values = (place) => Object.fromEntries([...place.querySelectorAll('[data-key]')].map((input) => [input.dataset.key, input.type === 'checkbox' ? input.checked : input.value]));

  /* An error where it belongs: at its field, which the code names, else in `note`. It goes when the field is changed. */
  const refuse = (make, place, note, answer) => {
    const key = String(answer.code || '').replace(/^field:/, '');
    const input = [...place.querySelectorAll('[data-key]')].find((one) => one.dataset.key === key);
    const pile = place.querySelector(`[data-pile="${CSS.escape(key)}"]`);
    note.textContent = '';
    if (pile) {
      pile.dataset.few = 'true';
      pile.textContent = answer.error;
      pile.setAttribute('role', 'alert');
    } else if (input) {
      input.setAttribute('aria-invalid', 'true');
      input.closest('details')?.setAttribute('open', '');
      input.closest('label').querySelector('.refused')?.remove();
      input.closest('label').append(make('span', {class: 'refused', role: 'alert'}, answer.error));
      input.focus({preventScroll: true});
    } else note.textContent = answer.error;
    (pile || input || note).scrollIntoView({block: 'center'});
  };

  const pictures = (make, kind, title, hint, uploads, send, changed) => {
    const area = make('textarea', {id: `train-${kind}`, rows: '2', placeholder: '/data/photos\n/data/more.tar', spellcheck: 'false'});
    const state = make('p', {class: 'upload-state', role: 'status'});
    const found = make('p', {class: 'pile', 'data-pile': title.toLowerCase(), 'aria-live': 'polite'});
    const add = (place) => { area.value = [...area.value.split('\n').filter((line) => line.trim()), place].join('\n'); changed(); };
    const settled = () => { if (state.classList.contains('refused')) state.textContent = ''; };
    area.addEventListener('input', () => { found.textContent = ''; settled(); });
    area.addEventListener('change', changed);
    const file = make('input', {type: 'file', accept: '.tar,.zip,.tgz,.gz,.bz2,.xz', id: `train-${kind}-file`});
    const bar = make('i');
    const progress = make('div', {class: 'bar', hidden: ''}, bar);
    file.addEventListener('change', async () => {
      const chosen = file.files[0];
      if (!chosen) return;
      progress.hidden = false;
      state.className = 'upload-state';
      state.textContent = `Uploading ${chosen.name} …`;
      const answer = await send(chosen, (share) => { bar.style.width = `${Math.round(100 * share)}%`; });
      progress.hidden = true;
      file.value = '';
      if (answer.error) { state.className = 'upload-state refused'; state.textContent = answer.error; return; }
      add(answer.place);
      state.textContent = `${chosen.name} is stored and will be read in place.`;
    });
    const kept = uploads.length ? make('select', {'aria-label': `Archives uploaded before, for ${title}`},
      make('option', {value: ''}, 'An archive uploaded before …'), ...uploads.map((name) => make('option', {value: `upload:${name}`}, name.replace(/^[0-9a-f]{8}-/, '')))) : '';
    if (kept) kept.addEventListener('change', () => { if (kept.value) { settled(); add(kept.value); } kept.value = ''; });
    return make('fieldset', {class: 'train-pictures'}, make('legend', {}, title), make('p', {class: 'soft'}, hint), area,
      make('div', {class: 'upload-row'}, make('label', {class: 'pill quiet', for: `train-${kind}-file`}, 'Upload an archive'), file, kept), progress, state, found);
  };

  /* Fill `place` with the form; `ask` and `send` talk to the server, `done(id)` follows a training handed in. */
  const open = async (place, make, overview, {ask, send, done, close}) => {
    const recipe = make('select', {id: 'train-recipe'}, ...overview.recipes.map((one) => make('option', {value: one.name}, one.name)));
    const preferred = overview.recipes.find((one) => one.name === 'adain');
    if (preferred) recipe.value = preferred.name;
    const summary = make('p', {class: 'soft'});
    const name = make('input', {id: 'train-name', type: 'text', maxlength: '80', placeholder: 'as the recipe', autocomplete: 'off'});
    const networks = (id, none) => make('select', {id}, make('option', {value: ''}, none), ...overview.encoders.map((one) => make('option', {value: one.value}, one.title)));
    const encoder = networks('train-encoder', 'a shipped one, where one fits');
    const start = networks('train-start', 'from scratch');
    const fields = make('div', {class: 'train-sections'});
    const note = make('p', {class: 'refused', role: 'alert'});
    const choose = async () => {
      const known = overview.recipes.find((one) => one.name === recipe.value);
      summary.textContent = known ? known.summary : '';
      const answer = await ask(`form?recipe=${encodeURIComponent(recipe.value)}`);
      if (answer.error) { note.textContent = answer.error; return; }
      note.textContent = '';
      fields.replaceChildren(...sections(make, answer.fields));
      count();
    };
    /* Too few pictures are said while the form is being filled in. */
    let asked = 0;
    const count = async () => {
      const mine = ++asked, [content, style] = [places('content'), places('style')];
      if (!content.length && !style.length) return;
      const answer = await ask('count', {recipe: recipe.value, fields: values(fields), content, style});
      if (mine !== asked || answer.error) return;
      for (const pile of place.querySelectorAll('[data-pile]')) {
        const counted = answer[pile.dataset.pile];
        pile.removeAttribute('role');
        pile.textContent = counted ? counted.sentence : '';
        pile.dataset.few = String(Boolean(counted && counted.few));
      }
    };
    fields.addEventListener('change', () => count());
    recipe.addEventListener('change', choose);
    const places = (kind) => place.querySelector(`#train-${kind}`).value.split('\n').map((line) => line.trim()).filter(Boolean);
    const button = make('button', {class: 'pill primary'}, 'Start training');
    const form = make('form', {class: 'train-form', novalidate: ''},
      make('div', {class: 'train-grid wide'},
        make('label', {class: 'train-field', for: 'train-recipe'}, make('span', {}, 'Recipe'), recipe, summary),
        make('label', {class: 'train-field', for: 'train-name'}, make('span', {}, 'Name'), name)),
      make('div', {class: 'train-two'},
        pictures(make, 'content', 'Photos', 'Folders, tar or zip archives or globs on the worker, one a line.', overview.uploads, send, () => count()),
        pictures(make, 'style', 'Styles', 'Pictures whose manner is to be learned, likewise.', overview.uploads, send, () => count())),
      make('div', {class: 'train-grid wide'},
        make('label', {class: 'train-field', for: 'train-encoder'}, make('span', {}, 'Encoder'), encoder),
        make('label', {class: 'train-field', for: 'train-start'}, make('span', {}, 'Start from'), start)),
      fields, note,
      make('div', {class: 'train-actions'}, button, make('button', {type: 'button', class: 'pill quiet', onclick: close}, 'Back')));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      button.disabled = true;
      note.textContent = '';
      const answer = await ask('start', {recipe: recipe.value, name: name.value, content: places('content'), style: places('style'),
        encoder: encoder.value, start: start.value, fields: values(fields)});
      button.disabled = false;
      if (answer.error) return refuse(make, form, note, answer);
      done(answer.id);
    });
    // What was being counted is not asked for any more.
    form.addEventListener('input', () => { asked++; note.textContent = ''; });
    place.replaceChildren(make('div', {class: 'train-head'}, make('h2', {}, 'New training')), form);
    await choose();
  };

  /* The form of what may be changed of a training that goes on; `resume(fields)` answers. */
  const change = (make, run, {resume, close}) => {
    const fields = make('div', {class: 'train-sections'}, ...sections(make, run.form));
    const note = make('p', {class: 'refused', role: 'alert'});
    const button = make('button', {class: 'pill primary'}, 'Resume with these');
    const form = make('form', {class: 'train-form', novalidate: ''}, make('p', {class: 'soft'}, 'From the checkpoint on; what was changed is written down. The network and the held-out pictures stay.'),
      fields, note, make('div', {class: 'train-actions'}, button, make('button', {type: 'button', class: 'pill quiet', onclick: close}, 'Leave as they are')));
    form.addEventListener('input', () => { note.textContent = ''; });
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      button.disabled = true;
      const answer = await resume(values(fields));
      button.disabled = false;
      if (answer.error) refuse(make, form, note, answer);
    });
    return form;
  };

  window.trainingForm = {open, change};
})();
