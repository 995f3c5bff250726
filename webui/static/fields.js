/* What the stock fields do not do by themselves. */
(() => {
  'use strict';

  /* The number of a strength: Enter paints; what is out of range, or no number, is put right before it is sent. */
  const isNumber = (field) => field.matches?.('.strength input[type=number]');
  const put = (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true}));
  };
  const right = (field) => {
    const value = parseFloat(field.value);
    if (Number.isNaN(value)) put(field, field.dataset.before || field.min);
    else if (value < +field.min || value > +field.max) put(field, Math.min(+field.max, Math.max(+field.min, value)));
    field.dataset.before = field.value;
  };
  document.addEventListener('focusin', (event) => {
    if (isNumber(event.target)) event.target.dataset.before = event.target.value;
  });
  document.addEventListener('blur', (event) => {
    if (isNumber(event.target)) right(event.target);
  }, true);
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing || !isNumber(event.target)) return;
    event.preventDefault();
    right(event.target);
    // The value is on its way through the components; the press follows it.
    requestAnimationFrame(() => document.querySelector('#enter')?.click());
  });
})();
