/* The page's half of webui/news.py: Gradio's own stream of news, made of requests that may end at any time, so that any
   number of tabs get along with the six connections that a browser opens to one address. */
(() => {
  'use strict';

  const plain = window.fetch.bind(window);
  const known = new Map();  // the last message of each page session
  const LONGEST = 5000;  // milliseconds between two tries while the server cannot be reached
  const sessions = new Set();  // of this tab
  let joined = 0;  // events that the server has taken in
  let newest = 0, root = '';
  let wake = () => {};

  /* A pause that ends early when an event is taken in, when the stream is given up, and, if it is to end at all, when
     somebody looks at the tab again. */
  const rest = (ms, signal) => new Promise((resolve) => {
    const seen = () => { if (timer && !document.hidden) end(); };
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      document.removeEventListener('visibilitychange', seen);
      resolve();
    };
    const timer = ms === Infinity ? 0 : setTimeout(end, ms);
    signal.addEventListener('abort', end);
    document.addEventListener('visibilitychange', seen);
    wake = end;
  });

  /* One request: passes messages on; how it ended: the pause until the next one, "end", or null for broken off. */
  const ask = async (address, session, signal, pass) => {
    const query = new URLSearchParams({session_hash: session, after: known.get(session) || 0});
    if (document.hidden) query.set('hidden', '1');
    const answer = await plain(`${address}?${query}`, {signal, cache: 'no-store'});
    if (!answer.ok) throw Object.assign(new Error(`HTTP ${answer.status}`), {final: answer.status < 500});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '', ended = null;
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return ended;
      text += value;
      for (let cut; (cut = text.indexOf('\n\n')) >= 0; text = text.slice(cut + 2)) {
        const fields = Object.fromEntries(text.slice(0, cut).split('\n').map((line) => {
          const colon = line.indexOf(': ');
          return [line.slice(0, colon), line.slice(colon + 2)];
        }));
        if ('retry' in fields) ended = Number(fields.retry);
        if (!('data' in fields)) continue;
        if (!('id' in fields)) { ended = 'end'; continue; }
        known.set(session, Number(fields.id));
        pass(`data: ${fields.data}\n\n`);
      }
    }
  };

  /* The server knows nothing any more of what it was asked for: it was started anew, or this tab was away for too long.
     The page, loaded again, finds the painting that is under way. Not twice in a row: then it is something else. */
  const again = () => {
    const now = Date.now();
    try {
      if (now - Number(sessionStorage.getItem('alla-prima-again') || 0) < 20000) return false;
      sessionStorage.setItem('alla-prima-again', now);
    } catch { return false; }
    location.reload();
    return true;
  };

  /* Gradio is never told that its stream has ended: an event that is handed in at that very moment would not be followed.
     All told, this rests until the next event is taken in; one that was taken in since it asked may not have been seen. */
  const news = (url, signal) => new ReadableStream({
    async start(controller) {
      const session = url.searchParams.get('session_hash'), encoder = new TextEncoder(), mine = ++newest;
      root = url.origin + url.pathname.replace(/data$/, '');
      const address = `${root}news`;
      sessions.add(session);
      const pass = (text) => controller.enqueue(encoder.encode(text));
      for (let failed = 0; mine === newest && !signal.aborted;) {
        const before = joined;
        let pause = null;
        try {
          pause = await ask(address, session, signal, pass);
          failed = pause === null ? failed + 1 : 0;
        } catch (error) {
          failed += 1;
          if (error.final && !signal.aborted && mine === newest && again()) return;
          if (signal.aborted || error.final) return controller.error(error);
        }
        if (pause !== 'end') await rest(pause ?? Math.min(400 * failed, LONGEST), signal);
        else if (joined === before) await rest(Infinity, signal);
      }
      controller.close();
    },
  });

  /* Whoever closes the tab need not be waited for; one that is hidden may be put to sleep, and is. One that comes back out
     of the browser's store asks again. */
  const leave = (more = {}) => {
    for (const session of sessions) {
      navigator.sendBeacon(`${root}leave?${new URLSearchParams({session_hash: session, ...more})}`);
    }
  };
  window.addEventListener('pagehide', () => leave());
  document.addEventListener('visibilitychange', () => { if (document.hidden) leave({hidden: '1'}); });
  window.addEventListener('online', () => wake());

  window.fetch = async (input, init) => {
    const request = input instanceof Request ? input : null;
    const url = new URL(request ? request.url : input, location.href);
    if (url.origin !== location.origin) return plain(input, init);
    if (url.pathname.endsWith('/gradio_api/queue/data')) {
      const body = news(url, request?.signal || init?.signal || new AbortController().signal);
      return new Response(body, {headers: {'Content-Type': 'text/event-stream'}});
    }
    const answer = await plain(input, init);
    if (url.pathname.endsWith('/gradio_api/queue/join')) { joined += 1; wake(); }
    return answer;
  };
})();
