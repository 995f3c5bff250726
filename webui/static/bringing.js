/* Files on their way into a picture's field: what is too large or no picture is said beside the field, in the page's own
   words, and not sent; pictures whose kind the browser does not know are sent all the same. Needs window.bringing. */
(() => {
  'use strict';
  const {bytes, endings, tooLarge, noPicture, several, failed} = window.bringing;
  const FIELDS = '.drop';
  const ours = new WeakSet();
  const said = new Map();  // fields beside which something is said, and the picture that was in them then
  const picture = (field) => field.querySelector('img')?.getAttribute('src') || '';

  const say = (field, sentence) => {
    hush(field);
    if (!sentence) return;
    const note = document.createElement('div');
    note.className = 'status failed own-words';
    note.setAttribute('role', 'alert');
    const line = document.createElement('p');
    line.textContent = sentence;
    note.append(line);
    field.after(note);
    said.set(field, picture(field));
  };
  const hush = (field) => {
    said.delete(field);
    if (field.nextElementSibling?.matches('.own-words')) field.nextElementSibling.remove();
  };

  /* What is said goes when the field gets another picture, whoever puts it there. */
  new MutationObserver(() => {
    for (const [field, before] of said) {
      const now = field.isConnected ? picture(field) : before;
      if (now && now !== before) hush(field);
      else if (!now) said.set(field, '');
    }
  }).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});

  const ending = (name) => (/\.[^.]+$/.exec(name.toLowerCase()) || [''])[0];
  const known = (file) => file.type.startsWith('image/') || endings.includes(ending(file.name));
  const refusal = (file) => {
    // A file of which the browser knows nothing is judged by the server, which looks into it.
    if (!known(file) && (file.type || ending(file.name))) return noPicture;
    return file.size > bytes ? tooLarge : '';
  };
  const named = (file) => file.type.startsWith('image/') ? file
    : new File([file], file.name, {type: 'image/x-' + (ending(file.name).slice(1) || 'unknown'), lastModified: file.lastModified});

  /* The stock field's own list of files is replaced before it looks at it. */
  const hand = (input, file) => {
    const list = new DataTransfer();
    list.items.add(named(file));
    input.files = list.files;
  };
  const stop = (event) => { event.stopImmediatePropagation(); event.preventDefault(); };

  // On window, so that it comes before every listener that waits for an upload to arrive.
  window.addEventListener('change', (event) => {
    const input = event.target, field = input.matches?.('input[type=file]') && input.closest(FIELDS);
    if (!field || !input.files?.length) return;
    const file = input.files[0], sentence = refusal(file);
    say(field, sentence);
    if (!sentence) {
      if (!ours.delete(input)) hand(input, file);
      return;
    }
    stop(event);
    input.value = '';
  }, true);
  window.addEventListener('drop', (event) => {
    const field = event.target.closest?.(FIELDS), files = event.dataTransfer?.files;
    if (!field || !files?.length) return;
    const input = field.querySelector('input[type=file]'), sentence = refusal(files[0]);
    say(field, sentence || (files.length > 1 ? several : ''));
    if (sentence || input) stop(event);
    // The stock field does not hear of the end of the dragging otherwise.
    event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true, cancelable: true}));
    if (sentence || !input) return;
    hand(input, files[0]);
    ours.add(input);
    input.dispatchEvent(new Event('change', {bubbles: true}));
  }, true);

  /* What the server says of an upload it refuses, beside the field, instead of a raw line in a corner. */
  let last = null;
  for (const kind of ['change', 'drop', 'click']) {
    window.addEventListener(kind, (event) => { last = event.target.closest?.(FIELDS) || last; }, true);
  }
  const silence = (text) => {
    const closing = new MutationObserver(() => {
      for (const toast of document.querySelectorAll('.toast-body')) {
        if (toast.textContent.includes(text)) toast.querySelector('.toast-close')?.click();
      }
    });
    closing.observe(document.body, {subtree: true, childList: true});
    setTimeout(() => closing.disconnect(), 3000);
  };
  const fetched = window.fetch;
  window.fetch = async (...given) => {
    const address = String(given[0]?.url || given[0]);
    if (!/\/gradio_api\/upload(\?|$)/.test(address)) return fetched(...given);
    let answer = null;
    try { answer = await fetched(...given); } catch (error) { if (last) say(last, failed); throw error; }
    if (answer.ok) { if (last) hush(last); return answer; }
    const sentence = (await answer.clone().text()).slice(0, 300);
    if (last) silence(sentence);
    if (last) say(last, /^[A-Z][^<>{}]*[.]$/.test(sentence) ? sentence : failed);
    return answer;
  };
})();
