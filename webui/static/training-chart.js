/* Curves of a training as the server has drawn them: puts them in their place and says what is under the pointer; used by
   training.js. */
(() => {
  'use strict';
  const short = (value) => {
    if (value === null || value === undefined) return '–';
    const size = Math.abs(value);
    if (size && (size < 0.001 || size >= 1e6)) return value.toExponential(1);
    return size >= 1000 ? Math.round(value).toLocaleString('en') : String(+value.toPrecision(3));
  };

  /* chart: {svg, left, span, last, lines: [{name, color (a CSS class), steps, values}]} */
  const show = (place, chart) => {
    if (!chart.svg) {
      place.replaceChildren(Object.assign(document.createElement('p'), {className: 'chart-empty', textContent: 'The curve begins with the first steps.'}));
      return;
    }
    place.innerHTML = chart.svg;  // made and escaped by the server
    const root = place.querySelector('svg'), rule = root.querySelector('.rule');
    const tip = Object.assign(document.createElement('div'), {className: 'chart-tip', hidden: true});
    const point = (event) => {
      const box = root.getBoundingClientRect(), scale = box.width / root.viewBox.baseVal.width;
      const wanted = ((event.clientX - box.left) / scale - chart.left) / chart.span * chart.last;
      const lines = chart.lines.filter((line) => line.steps.length).map((line) => {
        let at = line.steps.findIndex((step) => step >= wanted);
        if (at < 0) at = line.steps.length - 1;
        return {name: line.name, color: line.color, step: line.steps[at], value: line.values[at]};
      });
      const step = lines[0].step, x = chart.left + chart.span * step / chart.last;
      rule.setAttribute('transform', `translate(${x})`);
      root.classList.add('pointing');
      const head = document.createElement('b');
      head.textContent = `step ${step.toLocaleString('en')}`;
      tip.replaceChildren(head, ...lines.map((line) => {
        const row = document.createElement('span');
        row.className = line.color;
        row.textContent = `${line.name} ${short(line.value)}`;
        return row;
      }));
      tip.hidden = false;
      const left = x * scale > box.width / 2 ? x * scale - tip.offsetWidth - 12 : x * scale + 12;
      tip.style.left = `${Math.max(0, left)}px`;
    };
    root.addEventListener('pointermove', point);
    root.addEventListener('pointerdown', point);
    root.addEventListener('pointerleave', () => { tip.hidden = true; root.classList.remove('pointing'); });
    place.append(tip);
  };

  window.trainingChart = {show, short};
})();
