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
  document.addEventListener("htmx:sse:after:connection", () => {
    root.dataset.live = "on";
  });
  for (const name of ["htmx:sse:error", "htmx:error"]) {
    document.addEventListener(name, () => {
      root.dataset.live = "lost";
    });
  }

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
