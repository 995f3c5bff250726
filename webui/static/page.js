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

  /* The stock slider tells the server when the pointer lets go; arrow keys count as letting go after a moment. */
  let rest = 0;
  document.addEventListener('keyup', (event) => {
    const range = event.target;
    if (!range.matches?.('#strength input[type=range]')) return;
    if (!/^(Arrow|Page|Home|End)/.test(event.key)) return;
    clearTimeout(rest);
    rest = setTimeout(() => range.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})), 400);
  });
})();
