"use strict";
// Keeps the page's numbers new for as long as somebody looks at it.
(() => {
  const EVERY_MILLISECONDS = 5000;
  const MOST_MILLISECONDS = 20000;
  const span = document.getElementById("main").dataset.span;
  const [stale, announced] = [document.getElementById("stale"), document.getElementById("announced")];
  const verdict = () => document.querySelector("[data-verdict]")?.dataset.verdict ?? "";
  let before = verdict();
  let lostSince = null;
  let timer = 0;
  // Who is signed in already opened a link: what it holds does not stay in the address.
  if (/^#[\w-]{44}$/.test(location.hash)) history.replaceState(null, "", location.pathname + location.search);

  function show({ parts, charts }) {
    for (const [name, content] of Object.entries(parts)) {
      for (const place of document.querySelectorAll(`[data-part="${name}"]`)) {
        if (place.shown !== content) place.innerHTML = place.shown = content;
      }
    }
    Charts.show(charts);
    // Said to those who listen only where it is news.
    if (verdict() !== before) announced.textContent = before = verdict();
  }

  async function renew() {
    try {
      const signal = AbortSignal.timeout(MOST_MILLISECONDS);
      const answer = await fetch(`/parts?span=${span}`, { signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error();
      show(await answer.json());
      lostSince = null;
      stale.hidden = true;
    } catch {
      if (lostSince === null) {
        lostSince = new Date().toISOString().slice(11, 19);
        stale.textContent = `The console has not answered since ${lostSince} UTC; the numbers are from before.`;
        stale.hidden = false;
      }
    }
    next();
  }

  function next() {
    clearTimeout(timer);
    timer = document.hidden ? 0 : setTimeout(renew, EVERY_MILLISECONDS);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? next() : renew()));
  Charts.show(JSON.parse(document.getElementById("charts").textContent));
  next();
})();
