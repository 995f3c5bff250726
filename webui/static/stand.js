/* The bar at the bottom of a phone's screen: how much room it needs, and the way to the easel. */
(() => {
  'use strict';

  const narrow = matchMedia('(max-width: 860px)');
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const root = document.documentElement;
  let dock = null, pressed = false;

  const measure = () => {
    const fixed = dock?.isConnected && getComputedStyle(dock).position === 'fixed';
    root.style.setProperty('--dock', fixed ? `${Math.ceil(dock.getBoundingClientRect().height)}px` : '0px');
  };
  const sizes = new ResizeObserver(measure);
  narrow.addEventListener('change', measure);

  /* The page above is left as it is until there is something to see. */
  const look = () => {
    if (!pressed || !narrow.matches) return;
    pressed = false;
    const seen = document.getElementById('easel')?.getBoundingClientRect();
    if (!seen) return;
    const bottom = innerHeight - parseFloat(root.style.getPropertyValue('--dock') || 0);
    if (seen.top >= 0 && seen.bottom <= bottom) return;
    scrollTo({top: scrollY + seen.bottom - bottom + 24, behavior: still.matches ? 'auto' : 'smooth'});
  };
  const changes = new MutationObserver(look);
  document.addEventListener('click', (event) => { if (event.target.closest?.('#dock #paint')) pressed = true; });

  const mount = () => {
    // While the page is being built one may be there before the other.
    const found = document.getElementById('dock'), easel = document.getElementById('easel');
    if (!found || !easel || found === dock) return;
    dock = found;
    sizes.disconnect();
    sizes.observe(dock);
    changes.disconnect();
    changes.observe(easel, {subtree: true, childList: true});
    measure();
  };
  new MutationObserver(mount).observe(document, {subtree: true, childList: true});
})();
