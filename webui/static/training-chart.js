/* Curves of a training as SVG, drawn for the width there is; used by training.js. */
(() => {
  'use strict';
  const NS = 'http://www.w3.org/2000/svg';
  const PAD = {left: 52, right: 14, top: 12, bottom: 28};

  const svg = (tag, attributes = {}, text = '') => {
    const element = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  };
  const short = (value) => {
    if (value === null || value === undefined) return '–';
    const size = Math.abs(value);
    if (size && (size < 0.001 || size >= 1e6)) return value.toExponential(1);
    return size >= 1000 ? Math.round(value).toLocaleString('en') : String(+value.toPrecision(3));
  };
  const ticks = (low, high, count) => {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(+value.toPrecision(12));
    return found;
  };
  /* An exponential average over about a twentieth of the curve, so that the course shows through the noise; taken in both
     directions, so that it does not lag behind. */
  const average = (values) => {
    const keep = 1 - 1 / Math.max(1, Math.min(30, values.length / 20));
    let mean = null;
    return values.map((value) => {
      if (value === null) return mean;
      mean = mean === null ? value : keep * mean + (1 - keep) * value;
      return mean;
    });
  };
  const smooth = (values) => {
    const back = average([...values].reverse()).reverse();
    return average(values).map((value, index) => (value === null || back[index] === null ? value ?? back[index] : (value + back[index]) / 2));
  };

  /* series: [{name, steps, values, color (a CSS class), plain}]; last: the last step of the axis; marks: steps with a sheet. */
  const draw = (place, series, {last = 1, near = false, marks = [], height = 270, label = 'Curves'} = {}) => {
    const width = Math.max(260, place.clientWidth);
    const known = series.flatMap((line) => line.values).filter((value) => value !== null && Number.isFinite(value));
    if (!known.length) {
      place.replaceChildren(Object.assign(document.createElement('p'), {className: 'chart-empty', textContent: 'The curve begins with the first steps.'}));
      return;
    }
    let low = Math.min(...known), high = Math.max(...known);
    const log = low > 0 && high / low > 20;
    const scale = log ? Math.log10 : (value) => value;
    if (!log) { const room = (high - low || Math.abs(high) || 1) * 0.06; low = low >= 0 ? Math.max(0, low - room) : low - room; high += room; }
    const done = Math.max(...series.flatMap((line) => line.steps.slice(-1)));
    // Far from its end a training is shown as far as it has come, with a little room to grow into.
    const far = near ? Math.max(1, Math.min(Math.max(last, done), Math.ceil(done * 1.15))) : Math.max(last, done);
    const x = (step) => PAD.left + (width - PAD.left - PAD.right) * step / far;
    const y = (value) => PAD.top + (height - PAD.top - PAD.bottom) * (1 - (scale(value) - scale(low)) / (scale(high) - scale(low) || 1));

    const root = svg('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, class: 'chart'});
    const rows = log ? ticks(scale(low), scale(high), 4).map((power) => 10 ** power) : ticks(low, high, 5);
    for (const value of rows) {
      root.append(svg('line', {x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value), class: 'grid'}));
      root.append(svg('text', {x: PAD.left - 8, y: y(value) + 4, 'text-anchor': 'end'}, short(value)));
    }
    for (const step of ticks(0, far, Math.max(3, Math.floor(width / 130)))) {
      if (step % 1) continue;
      root.append(svg('text', {x: x(step), y: height - 8, 'text-anchor': step ? (x(step) > width - 40 ? 'end' : 'middle') : 'start'}, step.toLocaleString('en')));
    }
    for (const step of marks) root.append(svg('circle', {cx: x(step), cy: height - PAD.bottom, r: 3, class: 'mark-sheet'}));
    const path = (steps, values) => {
      let text = '', pen = 'M';
      steps.forEach((step, index) => {
        const value = values[index];
        if (value === null || !Number.isFinite(value) || (log && value <= 0)) { pen = 'M'; return; }
        text += `${pen}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = 'L';
      });
      return text;
    };
    const smoothed = series.map((line) => line.plain ? line.values : smooth(line.values));
    series.forEach((line, index) => {
      if (!line.plain) root.append(svg('path', {d: path(line.steps, line.values), class: `raw ${line.color}`}));
      root.append(svg('path', {d: path(line.steps, smoothed[index]), class: `line ${line.color}`}));
      if (line.steps.length === 1) root.append(svg('circle', {cx: x(line.steps[0]), cy: y(line.values[0]), r: 3.5, class: `dot ${line.color}`}));
    });

    const rule = svg('line', {y1: PAD.top, y2: height - PAD.bottom, class: 'rule'});
    rule.style.display = 'none';
    root.append(rule);
    const tip = Object.assign(document.createElement('div'), {className: 'chart-tip', hidden: true});
    const point = (event) => {
      const box = root.getBoundingClientRect();
      const wanted = (event.clientX - box.left - PAD.left) / (width - PAD.left - PAD.right) * far;
      const lines = series.map((line, index) => {
        let at = line.steps.findIndex((step) => step >= wanted);
        if (at < 0) at = line.steps.length - 1;
        return {name: line.title || line.name, color: line.color, step: line.steps[at], value: smoothed[index][at]};
      });
      const step = lines[0].step;
      rule.setAttribute('x1', x(step)); rule.setAttribute('x2', x(step));
      rule.style.display = '';
      const head = document.createElement('b');
      head.textContent = `step ${step.toLocaleString('en')}`;
      tip.replaceChildren(head, ...lines.map((line) => {
        const row = document.createElement('span');
        row.className = line.color;
        row.textContent = `${line.name} ${short(line.value)}`;
        return row;
      }));
      tip.hidden = false;
      const left = x(step) > width / 2 ? x(step) - tip.offsetWidth - 12 : x(step) + 12;
      tip.style.left = `${Math.max(0, left)}px`;
    };
    root.addEventListener('pointermove', point);
    root.addEventListener('pointerdown', point);
    root.addEventListener('pointerleave', () => { tip.hidden = true; rule.style.display = 'none'; });
    place.replaceChildren(root, tip);
  };

  window.trainingChart = {draw, short};
})();
