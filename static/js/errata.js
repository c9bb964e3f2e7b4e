/* What every page shares: notices, failures of htmx requests in words, focus after a swap, and a clean browser after signing out. */
"use strict";

window.errata = (() => {
  let timer;

  function notice(sentence, seconds = 4) {
    const box = document.getElementById("notice");
    if (!box) return;
    clearTimeout(timer);
    box.textContent = ""; // the same words again are news too
    if (!sentence) return;
    timer = setTimeout(() => {
      box.textContent = sentence;
      if (seconds) timer = setTimeout(() => { box.textContent = ""; }, seconds * 1000);
    }, 30);
  }

  // On the annotate page the outbox speaks instead: it keeps the decision.
  const isHandled = (event) => event.target.closest?.("[data-own-errors]") !== null;

  /* A part of the page that asks again by itself asks ever less often while the server is away, and goes on when it is back. */

  const AWAY = "The server cannot be reached. This page goes on by itself when it is back.";
  const LONGEST_PAUSE_S = 15;
  let pause = 0;
  let askAgainAt = 0;

  const isAway = (event) => [502, 503, 504].includes(event.detail.xhr.status); // a proxy says so
  const isPoll = (event) => event.detail.elt?.getAttribute?.("hx-trigger")?.startsWith("every") === true;

  const notDone = (event) => (event.detail.requestConfig.verb === "get" ? "Not done" : "Not saved");

  function wait() {
    if (Date.now() < askAgainAt) return; // another part of the page has seen it
    pause = Math.min(pause ? pause * 2 : 2, LONGEST_PAUSE_S);
    askAgainAt = Date.now() + pause * 1000;
    notice(AWAY, 0);
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPoll(event) && Date.now() < askAgainAt) event.preventDefault();
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (!pause || isAway(event)) return;
    pause = askAgainAt = 0;
    if (document.getElementById("notice")?.textContent === AWAY) notice("The server is back.");
  });

  document.addEventListener("htmx:sendError", (event) => {
    if (isPoll(event)) return wait();
    if (!isHandled(event)) notice(`${notDone(event)}: the server cannot be reached. Check \`errata serve\`, then try again.`, 0);
  });
  document.addEventListener("htmx:timeout", (event) => {
    if (isPoll(event)) return wait();
    if (!isHandled(event)) notice(`${notDone(event)}: the server took too long. Try again.`, 0);
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (isPoll(event) && isAway(event)) return wait();
    if (isHandled(event)) return;
    const status = event.detail.xhr.status;
    if (status === 401) return location.assign("/sign-in");
    if (event.detail.xhr.getResponseHeader("HX-Retarget") || [400, 409, 422].includes(status)) return;
    const words = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").body.textContent.trim();
    notice(words && words.length < 400 ? words : `Not done: the server answered ${status}.`, 0);
  });

  document.addEventListener("click", (event) => { if (event.target.closest("#notice")) notice(""); });

  // A page that comes back from the back button must not keep the buttons of a request that is over.
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button:disabled:not([data-stays-disabled])").forEach((button) => { button.disabled = false; });
  });

  // Our own sentences of failure say where they belong; any other error page never gets into the work area.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Retarget")) event.detail.shouldSwap = true;
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-sign-out]")) return;
    const waits = Object.keys(localStorage).some((name) => name.startsWith("errata-outbox-"));
    if (waits && !confirm("A decision is not yet sent and will be lost when you sign out. Sign out all the same?")) return event.preventDefault();
    localStorage.clear();
    sessionStorage.clear();
  });

  // A form that came back begins at the first field that did not fit.
  document.querySelector("main [aria-invalid=true]")?.focus();

  // Who is typing a question keeps the cursor when the next one of the queue arrives.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (document.activeElement?.id === "ask-text") return;
    event.target.querySelector?.("[data-focus]")?.focus({ preventScroll: false });
  });

  return { notice };
})();
