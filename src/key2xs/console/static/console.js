// The little a page does by itself. Everything works without it: links, forms, and a page that loads itself again.
"use strict";

(() => {
  const root = document.documentElement;

  // "/" goes to the search field, as on many other sites; not while somebody is writing.
  document.addEventListener("keydown", (event) => {
    const writing = event.target instanceof Element && event.target.matches("input, textarea, select");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const field = document.querySelector("#search");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
  });

  // A click beside an open menu closes it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    }
  });

  // A page that no longer follows the log says so: an old page that looks live is worse than none.
  const setLive = (state) => {
    root.dataset.live = state;
  };
  document.addEventListener("htmx:sse:after:connection", () => setLive("on"));
  for (const name of ["htmx:sse:error", "htmx:error"]) {
    document.addEventListener(name, () => setLive("lost"));
  }

  // Countdowns run on the page's own time: what the server said it was, and how long ago that is. Every refresh says
  // it anew. The demo's time moves in steps, so there they stand still between two refreshes.
  const LONGEST_SILENCE = 45000; // the server speaks every 15 seconds at the latest
  let said = "";
  let saidAt = 0;
  const two = (number) => String(number).padStart(2, "0");
  const left = (seconds) => {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    return hours >= 10
      ? `in ${hours} h`
      : hours > 0
        ? `in ${hours} h ${two(minutes)} min`
        : `in ${minutes}:${two(Math.floor(seconds % 60))}`;
  };
  const tick = () => {
    const live = document.querySelector("#live[data-now]");
    if (!live) {
      return;
    }
    if (live.dataset.now !== said) {
      said = live.dataset.now;
      saidAt = performance.now();
      if (root.dataset.live === "lost") {
        setLive("on");
      }
    } else if (root.dataset.live === "on" && performance.now() - saidAt > LONGEST_SILENCE && !("still" in live.dataset)) {
      setLive("lost");
    }
    const now = Date.parse(said) + ("still" in live.dataset ? 0 : performance.now() - saidAt);
    for (const each of live.querySelectorAll("[data-until]")) {
      const seconds = (Date.parse(each.dataset.until) - now) / 1000;
      const text = seconds > 0 ? left(seconds) : each.dataset.over;
      if (each.textContent !== text) {
        each.textContent = text;
      }
    }
  };
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:after:swap", tick);

  // A refresh brings news, and moves nobody: the field that a page begins with is for its beginning, and whoever has
  // gone on keeps the place where they are, also where the browser drops it because a line has moved.
  let place = null;
  document.addEventListener("htmx:before:swap", () => {
    const at = document.activeElement;
    place = at && at !== document.body ? { at, from: at.selectionStart, to: at.selectionEnd } : null;
  });
  document.addEventListener("htmx:after:settle", () => {
    for (const field of document.querySelectorAll("#live [autofocus]")) {
      field.removeAttribute("autofocus");
    }
    if (place && place.at.isConnected && document.activeElement !== place.at) {
      place.at.focus({ preventScroll: true });
      if (typeof place.from === "number") {
        place.at.setSelectionRange(place.from, place.to);
      }
    }
    place = null;
  });

  // One click is one act.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "post") {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "1";
    }
  });
  // Coming back with the browser's arrow shows the form as it was left: it may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
    }
  });
})();
