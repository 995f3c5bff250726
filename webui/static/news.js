/* The page's half of webui/news.py: Gradio's own stream of news, made of requests that may end at any time, so that any
   number of tabs get along with the six connections that a browser opens to one address. */
(() => {
  'use strict';

  const plain = window.fetch.bind(window);
  const known = new Map();  // the last message of each page session
  const TRIES = 4;
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
          if (signal.aborted || error.final || failed >= TRIES) return controller.error(error);
        }
        if (failed >= TRIES) return controller.error(new Error('The connection broke off.'));
        if (pause !== 'end') await rest(pause ?? 400 * failed, signal);
        else if (joined === before) await rest(Infinity, signal);
      }
      controller.close();
    },
  });

  /* Whoever closes the tab need not be waited for. One that comes back out of the browser's store asks again. */
  window.addEventListener('pagehide', () => {
    for (const session of sessions) {
      navigator.sendBeacon(`${root}leave?${new URLSearchParams({session_hash: session})}`);
    }
  });

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
