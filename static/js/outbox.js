/* Decisions on their way. Each is written down before it is sent and crossed out only by the server's answer; while the server cannot
   be reached it stays here, is counted in sight, and is sent again with the same submission id, so that it counts once. */
"use strict";

(() => {
  const AGAIN_AFTER_S = 4;
  const page = () => document.getElementById("annotate");
  const person = () => page()?.dataset.person;
  const key = () => `errata-outbox-${person()}`;
  let draining = false;
  let timer;

  const read = () => JSON.parse(localStorage.getItem(key()) || "[]");
  const write = (entries) => (entries.length ? localStorage.setItem(key(), JSON.stringify(entries)) : localStorage.removeItem(key()));

  function put(entry) {
    write([...read().filter((one) => one.id !== entry.id), entry]);
  }

  function remove(id) {
    write(read().filter((one) => one.id !== id));
    show();
  }

  function show() {
    const box = document.getElementById("outbox");
    if (!box || !person()) return;
    const waiting = read().filter((one) => one.waits);
    box.hidden = waiting.length === 0;
    box.querySelector("[data-count]").textContent = waiting.length === 1 ? "1 decision" : `${waiting.length} decisions`;
    box.querySelector("[data-sign-in]").hidden = !waiting.some((one) => one.signedOut);
  }

  // What became of it: "saved", "refused" (the server answered and will answer so again), or "waits".
  function outcome(status, isMessage) {
    if (status >= 200 && status < 300) return "saved";
    if ([400, 404, 413, 422].includes(status) || (status === 409 && !isMessage)) return "refused";
    return "waits";
  }

  function keep(id, status) {
    const entry = read().find((one) => one.id === id);
    if (!entry) return;
    put({ ...entry, waits: true, signedOut: status === 401 || status === 403 });
    show();
    window.errata.notice(
      entry.signedOut || status === 401 || status === 403
        ? "Not saved: you are signed out here. The decision is kept in this browser; sign in again and it is sent."
        : "Not saved: the server cannot be reached. The decision is kept in this browser and sent when the server is back.", 0);
    clearTimeout(timer);
    timer = setTimeout(drain, AGAIN_AFTER_S * 1000);
  }

  // The same question may be on the page with a newer form, as after signing in again: its answer belongs there all the same.
  const isOnPage = (entry) => document.querySelector("[data-question]")?.dataset.question === entry.question;

  async function send(entry) {
    let response;
    try {
      response = await fetch(entry.url, {
        method: "POST", body: entry.body, signal: AbortSignal.timeout(30_000), redirect: "manual",
        headers: {
          "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true",
          "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content,
        },
      });
    } catch {
      return keep(entry.id, 0);
    }
    const result = outcome(response.status, response.headers.has("HX-Retarget"));
    if (result === "waits") return keep(entry.id, response.status);
    const isShown = isOnPage(entry);
    const text = await response.text();
    remove(entry.id);
    if (result === "saved") document.dispatchEvent(new CustomEvent("errata:saved", { detail: entry }));
    if (isShown && !response.headers.has("HX-Retarget")) htmx.swap("#annotate", text, { swapStyle: "innerHTML" });
    else if (result === "saved") window.errata.notice(`Saved: your decision on “${entry.title}”.`);
    else window.errata.notice(`Your decision on “${entry.title}” was not taken; its text is kept, open the question again.`, 0);
  }

  async function drain() {
    if (draining || !person()) return;
    draining = true;
    clearTimeout(timer);
    try {
      for (const entry of read()) if (entry.waits) await send(entry);
    } finally {
      draining = false;
    }
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.matches?.("[data-verdict]")) return;
    const body = new URLSearchParams(event.detail.requestConfig.formData);
    body.delete("csrf_token"); // it may be another one when this is sent
    put({
      id: body.get("submission_id"), url: event.target.getAttribute("hx-post"), body: body.toString(),
      question: document.querySelector("[data-question]")?.dataset.question, waits: false, at: Date.now(),
      title: (document.querySelector(".question")?.textContent || "").slice(0, 80),
    });
  });

  // An answer that exchanged the page took the form along: htmx then says so on what held it, and only the request still names the form.
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (!requestConfig.elt.matches("[data-verdict]")) return;
    const id = requestConfig.formData.get("submission_id");
    const result = outcome(xhr.status, xhr.status > 0 && xhr.getResponseHeader("HX-Retarget") !== null);
    if (result === "waits") return keep(id, xhr.status);
    const entry = read().find((one) => one.id === id);
    remove(id);
    if (result === "saved" && entry) document.dispatchEvent(new CustomEvent("errata:saved", { detail: entry }));
  });

  addEventListener("online", drain);
  addEventListener("storage", show);
  document.addEventListener("DOMContentLoaded", () => {
    if (!person()) return;
    // A page that was closed while sending cannot know whether it arrived: send again, the server knows.
    write(read().map((one) => ({ ...one, waits: true })));
    show();
    drain();
  });
})();
