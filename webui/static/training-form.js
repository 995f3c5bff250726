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
    const note = spec.help ? make('small', {}, spec.help) : '';
    const title = make('span', {}, spec.label);
    return make('label', {class: `train-field ${spec.kind}`, for: id}, ...(spec.kind === 'bool' ? [input, title] : [title, input]), note);
  };

  const pictures = (make, kind, title, hint, uploads, send) => {
    const area = make('textarea', {id: `train-${kind}`, rows: '2', placeholder: '/data/photos\n/data/more.tar', spellcheck: 'false'});
    const state = make('p', {class: 'upload-state', role: 'status'});
    const add = (place) => { area.value = [...area.value.split('\n').filter((line) => line.trim()), place].join('\n'); };
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
    if (kept) kept.addEventListener('change', () => { if (kept.value) add(kept.value); kept.value = ''; });
    return make('fieldset', {class: 'train-pictures'}, make('legend', {}, title), make('p', {class: 'soft'}, hint), area,
      make('div', {class: 'upload-row'}, make('label', {class: 'pill quiet', for: `train-${kind}-file`}, 'Upload an archive'), file, kept), progress, state);
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
      const groups = new Map();
      for (const spec of answer.fields.filter((spec) => !FIRST.includes(spec.key))) {
        groups.set(spec.section, [...(groups.get(spec.section) || []), spec]);
      }
      const first = FIRST.map((key) => answer.fields.find((spec) => spec.key === key)).filter(Boolean);
      fields.replaceChildren(make('div', {class: 'train-grid'}, ...first.map((spec) => field(make, spec))),
        ...[...groups].map(([section, specs]) => make('details', {}, make('summary', {}, `${SECTIONS[section] || section}`, make('small', {}, `${specs.length} more fields`)),
          make('div', {class: 'train-grid'}, ...specs.map((spec) => field(make, spec))))));
    };
    recipe.addEventListener('change', choose);
    const places = (kind) => place.querySelector(`#train-${kind}`).value.split('\n').map((line) => line.trim()).filter(Boolean);
    const button = make('button', {class: 'pill primary'}, 'Start training');
    const form = make('form', {class: 'train-form', novalidate: ''},
      make('div', {class: 'train-grid wide'},
        make('label', {class: 'train-field', for: 'train-recipe'}, make('span', {}, 'Recipe'), recipe, summary),
        make('label', {class: 'train-field', for: 'train-name'}, make('span', {}, 'Name'), name)),
      make('div', {class: 'train-two'},
        pictures(make, 'content', 'Photos', 'Folders, tar or zip archives or globs on the worker, one a line.', overview.uploads, send),
        pictures(make, 'style', 'Styles', 'Pictures whose manner is to be learned, likewise.', overview.uploads, send)),
      make('div', {class: 'train-grid wide'},
        make('label', {class: 'train-field', for: 'train-encoder'}, make('span', {}, 'Encoder'), encoder),
        make('label', {class: 'train-field', for: 'train-start'}, make('span', {}, 'Start from'), start)),
      fields, note,
      make('div', {class: 'train-actions'}, button, make('button', {type: 'button', class: 'pill quiet', onclick: close}, 'Back')));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      button.disabled = true;
      note.textContent = '';
      const given = {};
      for (const input of fields.querySelectorAll('[data-key]')) given[input.dataset.key] = input.type === 'checkbox' ? input.checked : input.value;
      const answer = await ask('start', {recipe: recipe.value, name: name.value, content: places('content'), style: places('style'),
        encoder: encoder.value, start: start.value, fields: given});
      button.disabled = false;
      if (answer.error) { note.textContent = answer.error; note.scrollIntoView({block: 'center'}); return; }
      done(answer.id);
    });
    place.replaceChildren(make('div', {class: 'train-head'}, make('h2', {}, 'New training')), form);
    await choose();
  };

  window.trainingForm = {open};
})();
