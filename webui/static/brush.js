/* The brush: a mask painted over a picture says where the style paints, or which part of the style counts. What is painted
   lies on the canvas in one colour; the server is sent a picture in black and white. Which picture it is, where its kept mask
   is, and what is said, stands in the data of the box. */
(() => {
  'use strict';

  const SIDE = 768, LETTERS = 56000, STEPS = 20;
  const source = (selector) => document.querySelector(selector)?.getAttribute('src') || '';

  window.brush = (element, trigger) => {
    const box = element.querySelector('.brush');
    if (!box || box.dataset.ready) return;
    box.dataset.ready = 'true';
    const words = box.dataset;
    const image = box.querySelector('img'), canvas = box.querySelector('canvas'), ring = box.querySelector('.brush-ring');
    const range = box.querySelector('input[type=range]'), said = box.querySelector('.brush-said');
    const draw = canvas.getContext('2d', {willReadFrequently: true});
    const before = [];
    let tool = 'paint', photo = null, mask = '', at = null, down = false, hand = 0;

    const colour = () => getComputedStyle(element).getPropertyValue('--accent').trim() || '#b6401f';
    const width = () => range.value / 100 * Math.max(canvas.width, canvas.height);
    const keep = () => {
      before.push(draw.getImageData(0, 0, canvas.width, canvas.height));
      if (before.length > STEPS) before.shift();
    };
    const copy = (scale = 1) => {
      const made = document.createElement('canvas');
      made.width = Math.max(1, Math.round(canvas.width * scale));
      made.height = Math.max(1, Math.round(canvas.height * scale));
      return made;
    };
    const isEmpty = () => {
      const {data} = draw.getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 3; i < data.length; i += 4) if (data[i] >= 128) return false;
      return true;
    };

    /* In black and white, as small as one request may be. */
    const address = () => {
      for (let scale = 1; scale > 0.05; scale *= 0.7) {
        const made = copy(scale), pen = made.getContext('2d');
        pen.fillStyle = '#fff';
        pen.fillRect(0, 0, made.width, made.height);
        pen.globalCompositeOperation = 'destination-in';
        pen.drawImage(canvas, 0, 0, made.width, made.height);
        pen.globalCompositeOperation = 'destination-over';
        pen.fillStyle = '#000';
        pen.fillRect(0, 0, made.width, made.height);
        const text = made.toDataURL('image/png');
        if (text.length <= LETTERS) return text;
      }
      return '';
    };
    const tell = (news) => {
      const empty = isEmpty();
      box.querySelector('[data-do=undo]').disabled = !before.length;
      box.querySelector('[data-do=clear]').disabled = empty;
      box.classList.toggle('masked', !empty);
      said.textContent = news ?? (empty ? words.whole : words.part);
      return empty;
    };
    const send = () => trigger('select', {mask: tell() ? '' : address()});

    /* strokes */
    const line = (from, to) => {
      draw.globalCompositeOperation = tool === 'erase' ? 'destination-out' : 'source-over';
      draw.strokeStyle = colour();
      draw.lineWidth = width();
      draw.lineCap = draw.lineJoin = 'round';
      draw.beginPath();
      draw.moveTo(...from);
      draw.lineTo(to[0] + 0.01, to[1]);
      draw.stroke();
      draw.globalCompositeOperation = 'source-over';
    };
    const place = (event) => {
      const seen = canvas.getBoundingClientRect();
      return [(event.clientX - seen.left) / seen.width * canvas.width, (event.clientY - seen.top) / seen.height * canvas.height];
    };
    const show = (point) => {
      at = point;
      const scale = canvas.clientWidth / canvas.width, side = width() * scale;
      ring.style.width = ring.style.height = side + 'px';
      ring.style.left = point[0] * scale + 'px';
      ring.style.top = point[1] * scale + 'px';
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      event.preventDefault();
      canvas.focus({preventScroll: true});
      canvas.setPointerCapture(event.pointerId);
      keep();
      down = true;
      show(place(event));
      line(at, at);
    });
    canvas.addEventListener('pointermove', (event) => {
      const from = at;
      for (const part of event.getCoalescedEvents?.() ?? []) {
        if (down) line(at, place(part));
        show(place(part));
      }
      const to = place(event);
      if (down) line(at ?? from, to);
      show(to);
    });
    const lift = () => {
      if (!down) return;
      down = false;
      send();
    };
    canvas.addEventListener('pointerup', lift);
    canvas.addEventListener('pointercancel', lift);

    canvas.addEventListener('keydown', (event) => {
      if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo(); return; }
      const [right, lower] = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[event.key] || [0, 0];
      if (event.key !== ' ' && !right && !lower) return;
      event.preventDefault();
      const from = at ?? [canvas.width / 2, canvas.height / 2], step = Math.max(4, width() / 2);
      const to = [Math.min(canvas.width, Math.max(0, from[0] + right * step)), Math.min(canvas.height, Math.max(0, from[1] + lower * step))];
      show(to);
      if (event.key !== ' ' && !event.shiftKey) return;
      keep();
      line(from, to);
      clearTimeout(hand);
      hand = setTimeout(send, 400);
    });
    canvas.addEventListener('focus', () => show(at ?? [canvas.width / 2, canvas.height / 2]));
    range.addEventListener('input', () => { if (at) show(at); });

    /* tools */
    const undo = () => {
      if (!before.length) return;
      draw.putImageData(before.pop(), 0, 0);
      send();
    };
    const swap = () => {
      const made = copy(), pen = made.getContext('2d');
      pen.fillStyle = colour();
      pen.fillRect(0, 0, made.width, made.height);
      pen.globalCompositeOperation = 'destination-out';
      pen.drawImage(canvas, 0, 0);
      draw.clearRect(0, 0, canvas.width, canvas.height);
      draw.drawImage(made, 0, 0);
    };
    const clear = () => draw.clearRect(0, 0, canvas.width, canvas.height);
    box.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (!button || !photo) return;
      if (button.dataset.tool) {
        tool = button.dataset.tool;
        box.querySelectorAll('[data-tool]').forEach((one) => one.setAttribute('aria-pressed', String(one === button)));
      } else if (button.dataset.do === 'undo') {
        undo();
      } else {
        keep();
        (button.dataset.do === 'swap' ? swap : clear)();
        send();
      }
    });

    /* A picture in black and white, stretched over the one below. */
    const lay = (picture) => {
      const made = copy(), pen = made.getContext('2d');
      pen.drawImage(picture, 0, 0, made.width, made.height);
      const whole = pen.getImageData(0, 0, made.width, made.height), {data} = whole;
      for (let i = 0; i < data.length; i += 4) {
        data[i + 3] = Math.round((0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]) * data[i + 3] / 255);
      }
      pen.putImageData(whole, 0, 0);
      pen.globalCompositeOperation = 'source-in';
      pen.fillStyle = colour();
      pen.fillRect(0, 0, made.width, made.height);
      clear();
      draw.drawImage(made, 0, 0);
    };
    box.querySelector('input[type=file]').addEventListener('change', async (event) => {
      const file = event.target.files[0];
      event.target.value = '';
      if (!file || !photo) return;
      let picture = null;
      try { picture = await createImageBitmap(file); } catch { /* told below */ }
      if (!picture) { tell('This picture cannot be shown here; bring a mask as PNG or JPEG.'); return; }
      keep();
      lay(picture);
      if (isEmpty()) {
        draw.putImageData(before.pop(), 0, 0);
        tell(words.dark);
      } else send();
    });

    /* The picture that is chosen, and the mask of a painting that is laid out again. */
    const restore = () => {
      const kept = source(words.mask);
      if (kept === mask || !photo || !canvas.width) return;
      mask = kept;
      before.length = 0;
      clear();
      if (!kept) { tell(); return; }
      const picture = new Image();
      picture.onload = () => { if (mask === kept) { lay(picture); tell(); } };
      picture.src = kept;
    };
    const look = () => {
      const now = source(words.picture);
      if (now !== photo) {
        photo = now;
        mask = '';
        at = null;
        before.length = 0;
        box.classList.toggle('empty', !now);
        canvas.width = canvas.height = 0;
        if (now) image.src = now; else image.removeAttribute('src');
        said.textContent = '';
        return;
      }
      restore();
    };
    image.addEventListener('load', () => {
      const scale = SIDE / Math.max(image.naturalWidth, image.naturalHeight);
      canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
      canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
      tell();
      restore();
    });
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
    look();
  };
})();
