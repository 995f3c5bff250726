/* The researchers' results below the survey's panel: a password, a study, its figures. */
(() => {
  'use strict';
  let place = null;

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      key.startsWith('on') ? element.addEventListener(key.slice(2), value) : element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const ask = async (path, body) => {
    const options = {cache: 'no-store', credentials: 'same-origin'};
    if (body) Object.assign(options, {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}});
    let answer, content;
    try {
      answer = await fetch(`survey/research/${path}`, options);
      content = await answer.json();
    } catch { return {code: 'offline', error: 'The server cannot be reached just now; please try again.'}; }
    return answer.ok ? content : {error: content.error, code: content.code};
  };

  const closed = () => place.replaceChildren(make('p', {class: 'research-door'},
    make('button', {type: 'button', class: 'pill link', onclick: open}, 'Results, for researchers')));
  const sheet = (...children) => place.replaceChildren(make('section', {class: 'survey-card research', 'aria-label': 'Results'}, ...children));
  const alone = (sentence) => sheet(make('h2', {}, 'Results'), make('p', {role: 'alert', class: 'refused'}, sentence),
    make('p', {class: 'survey-actions'}, make('button', {type: 'button', class: 'pill primary', onclick: open}, 'Try again'),
      make('button', {type: 'button', class: 'pill quiet', onclick: closed}, 'Close')));

  const door = (sentence = '') => {
    const field = make('input', {type: 'password', id: 'research-password', autocomplete: 'current-password', 'aria-describedby': 'research-note'});
    const note = make('p', {role: 'alert', class: 'refused', id: 'research-note'}, sentence);
    const form = make('form', {novalidate: ''}, make('label', {for: 'research-password'}, 'Password'), field, make('button', {class: 'pill primary'}, 'Show results'));
    const refuse = (words) => {
      note.textContent = words;
      words ? field.setAttribute('aria-invalid', 'true') : field.removeAttribute('aria-invalid');
    };
    field.addEventListener('input', () => refuse(''));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!field.value) refuse('Type the password first.');
      else {
        const entered = await ask('enter', {password: field.value});
        if (!entered.error) return open();
        refuse(entered.error);
      }
      field.select();
    });
    sheet(make('h2', {}, 'Results'), make('p', {class: 'lead'}, 'Means, intervals, plots and files of every study, for researchers.'), form, note);
    field.focus();
  };

  const leave = async () => {
    const left = await ask('leave', {});
    left.error ? alone(left.error) : closed();
  };

  const open = async () => {
    const found = await ask('studies');
    if (['password', 'wrong_password'].includes(found.code)) return door();
    if (found.error) return alone(found.error);
    if (!found.studies.length) return alone('There is no study yet; create one with: allaprima survey create');
    const view = make('div', {class: 'research-view', 'aria-live': 'polite'});
    const chooser = make('select', {'aria-label': 'Study'}, ...found.studies.map((study) =>
      make('option', {value: study.id}, `${study.title} (${study.state}, ${study.ratings} ratings)`)));
    let asked = 0;
    const show = async () => {
      const mine = ++asked;
      view.setAttribute('aria-busy', 'true');
      const answer = await ask(`${encodeURIComponent(chooser.value)}/view`);
      if (mine !== asked) return;  // another study was chosen meanwhile
      view.removeAttribute('aria-busy');
      if (['password', 'wrong_password'].includes(answer.code)) door('You have been logged out; type the password again.');
      else if (answer.error) view.replaceChildren(make('p', {role: 'alert', class: 'refused'}, answer.error));
      else view.innerHTML = answer.html;  // made and escaped by the server
    };
    chooser.addEventListener('change', show);
    sheet(make('div', {class: 'research-top'}, make('h2', {}, 'Results'), chooser,
      make('button', {type: 'button', class: 'pill quiet', onclick: show}, 'Refresh'),
      make('button', {type: 'button', class: 'pill quiet', onclick: closed}, 'Close'),
      make('button', {type: 'button', class: 'pill quiet', onclick: leave}, 'Log out')), view);
    await show();
  };

  const mount = () => {
    const found = document.getElementById('survey-results');
    if (!found || found === place) return;
    place = found;
    closed();
  };
  new MutationObserver(mount).observe(document, {subtree: true, childList: true});
  mount();
})();
