/* Small behaviours of the page that need no server. */
(() => {
  'use strict';

  const stored = (() => {
    try { return localStorage.getItem('alla-prima-lamp'); } catch { return null; }
  })();
  const setLamp = (dark) => {
    document.body.classList.toggle('dark', dark);
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
  };
  const whenReady = (run) =>
    document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', run) : run();
  whenReady(() => {
    if (stored) {
      // Gradio sets its own choice while it mounts; the visitor's goes last.
      const observer = new MutationObserver(() => {
        if (document.body.classList.contains('dark') !== (stored === 'dark')) setLamp(stored === 'dark');
      });
      setLamp(stored === 'dark');
      observer.observe(document.body, {attributes: true, attributeFilter: ['class']});
      setTimeout(() => observer.disconnect(), 3000);
    }
  });

  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('[data-action=lamp]')) return;
    const dark = !document.body.classList.contains('dark');
    setLamp(dark);
    try { localStorage.setItem('alla-prima-lamp', dark ? 'dark' : 'light'); } catch { /* private window */ }
  });

  /* A picture that does not arrive is told, where it was to stand. Errors of pictures do not bubble. */
  const NOT_THERE = 'This picture could not be loaded; it may have been cleared away. Reload the page to try again.';
  document.addEventListener('error', (event) => {
    const img = event.target;
    if (img.tagName !== 'IMG' || !img.getAttribute('src')?.includes('pictures/')) return;
    img.classList.add('missing');
    const canvas = img.closest('.canvas, .card, .tile');
    if (!canvas || canvas.querySelector('.not-there')) return;
    const note = document.createElement('span');
    note.className = 'not-there';
    note.setAttribute('role', 'status');
    note.textContent = canvas.matches('.tile') ? 'not there' : NOT_THERE;
    canvas.append(note);
  }, true);

  /* The other formats of the download. */
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('[data-download]');
    if (!button) return;
    const link = document.createElement('a');
    link.href = button.dataset.download;
    link.download = button.dataset.name;
    link.click();
  });

  /* Addresses to be sent to others: copied, or, where the browser does not let us, shown. */
  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (!button) return;
    const address = new URL(button.dataset.copy, location.href).href;
    try { await navigator.clipboard.writeText(address); button.textContent = button.dataset.copied; }
    catch { window.prompt('', address); }
  });

  /* The divider between photo and painting. Its place is kept on the easel, which outlives each painting. */
  const split = (input) => {
    const easel = input.closest('#easel') || input.parentElement;
    easel.style.setProperty('--split', input.value + '%');
  };
  document.addEventListener('input', (event) => {
    if (event.target.matches?.('.compare input[type=range]')) split(event.target);
  });
  document.addEventListener('focusin', (event) => {
    if (!event.target.matches?.('.compare input[type=range]')) return;
    const kept = event.target.closest('#easel')?.style.getPropertyValue('--split');
    if (kept) event.target.value = parseFloat(kept);
  });

  /* The dot on the pad goes with its two sliders. Fields have one width, their strengths need not be even. */
  const place = (value, marks) => {
    for (let i = 1; i < marks.length; i++) {
      if (value > marks[i] && i < marks.length - 1) continue;
      return (i - 0.5 + (value - marks[i - 1]) / (marks[i] - marks[i - 1])) / marks.length;
    }
    return 0;
  };
  document.addEventListener('input', (event) => {
    const range = event.target;
    const edge = range.closest?.('#strokes') ? 'left' : range.closest?.('#colours') ? 'bottom' : '';
    const dot = edge && document.querySelector('#pad .dot');
    if (!dot) return;
    const fields = [...document.querySelectorAll('#pad .field')];
    const marks = fields.slice(0, Math.round(Math.sqrt(fields.length))).map((field) => +field.dataset.name.split(',')[0]);
    dot.style[edge] = 100 * place(+range.value, marks) + '%';
  });

  /* What the person has used since the page was opened. What is brought back from the last visit asks before it changes
     anything, for it may come seconds later. */
  const used = new Set();
  const AREAS = {metadata: '#metadata', studio: '#studio', compare: '#comparing, #side-by-side'};
  const USED = {
    click: 'button, label, [role=radio], [role=option], input:not([type=file])', pointerdown: 'input[type=range], canvas',
    input: 'input, textarea, select', change: 'input, select', keydown: 'input, [role=radio], canvas', drop: '*', paste: '*',
  };
  Object.entries(USED).forEach(([kind, what]) => document.addEventListener(kind, (event) => {
    if (kind === 'keydown' && event.key === 'Tab') return;
    const part = event.target.closest?.(what);
    const area = part && Object.keys(AREAS).find((name) => part.closest(AREAS[name]));
    if (area) used.add(area);
  }, true));
  window.touched = () => [...used].join(',');

  /* A press of Paint while a photo is still on its way waits until the server has seen it. */
  const FIELDS = {photo: 'paint', 'compare-photo': 'compare-go', 'inside-photo': 'inside-go'};
  let arriving = null;
  const fieldOf = (target) => Object.keys(FIELDS).find((field) => target.closest?.('#' + field));
  const arrive = (field) => {
    const paint = document.querySelector('#' + FIELDS[field]);
    const taken = () => document.querySelector(`#${field}-note [data-taken]`)?.dataset.taken ?? '';
    if (arriving) clearInterval(arriving.timer);
    const before = taken(), began = performance.now();
    arriving = {pressed: false, paint};
    arriving.timer = setInterval(() => {
      if (taken() === before && performance.now() - began < 60000) return;
      const {pressed, timer} = arriving;
      clearInterval(timer);
      arriving = null;
      paint?.removeAttribute('aria-busy');
      if (pressed) paint?.click();
    }, 40);
    paint?.setAttribute('aria-busy', 'true');
  };
  document.addEventListener('change', (event) => {
    const field = event.target.matches?.('input[type=file]') && fieldOf(event.target);
    if (field && event.target.files?.length) arrive(field);
  }, true);
  document.addEventListener('drop', (event) => {
    const field = fieldOf(event.target);
    if (field && event.dataTransfer?.files?.length) arrive(field);
  }, true);
  document.addEventListener('click', (event) => {
    if (!arriving?.paint?.contains(event.target)) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    arriving.pressed = true;
    arriving.paint.setAttribute('aria-busy', 'pressed');
  }, true);

  /* The stock slider tells the server when the pointer lets go; arrow keys count as letting go after a moment. */
  let rest = 0;
  document.addEventListener('keyup', (event) => {
    const range = event.target;
    if (!range.matches?.('.strength input[type=range]')) return;
    if (!/^(Arrow|Page|Home|End)/.test(event.key)) return;
    clearTimeout(rest);
    rest = setTimeout(() => range.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})), 400);
  });
})();
