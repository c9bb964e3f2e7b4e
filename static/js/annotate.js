/* The annotate page: keys, the correction, drafts, and what is said after a decision. */
"use strict";

(() => {
  const SAID_FOR_S = 4;
  const LEAVES_WORDS = ["a", "r", "p", "n", "s"];
  const UNSAVED = "What you wrote is not saved. Save the correction, or choose the same again to decide without it.";
  const $ = (selector) => document.querySelector(selector);
  const form = () => document.getElementById("verdict");
  const isTyping = (target) => target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]") !== null;

  /* Correction */

  function openCorrection({ select = false } = {}) {
    const box = $("[data-correction]");
    if (!box) return;
    box.classList.add("open");
    const field = box.querySelector("textarea");
    field.focus();
    if (select) field.select();
    showDifference();
  }

  function showDifference() {
    const box = $("[data-difference]");
    if (box && form()) window.errata.showDifference(box, form().dataset.answer, form().elements.text.value);
  }

  // What was wrong with the words that were sent says nothing of the words that stand there now.
  function dropError() {
    $("#verdict-error")?.remove();
    $("#text")?.removeAttribute("aria-invalid");
  }

  document.addEventListener("errata:taken", (event) => {
    form().elements.text.value = event.detail;
    dropError();
    openCorrection();
    keepDraft();
  });

  /* Drafts: what is typed survives a closed tab, a crash and a new sign-in, for this person and question only. */

  const draftKey = () => `errata-draft-${$("#annotate").dataset.person}-${$("[data-question]")?.dataset.question}`;
  const DRAFTED = ["text", "reason", "start", "end", "evidence_passage"];

  function keepDraft() {
    if (!form()) return;
    const fields = form().elements;
    const draft = Object.fromEntries(DRAFTED.map((name) => [name, fields[name].value]));
    draft.passage = new FormData(form()).get("passage") || "";
    draft.version = fields.version.value;
    localStorage.setItem(draftKey(), JSON.stringify(draft));
  }

  function restoreDraft() {
    const draft = JSON.parse(localStorage.getItem(draftKey()) || "null");
    if (!draft || !form()) return;
    const fields = form().elements;
    if (draft.version !== fields.version.value && draft.text === fields.text.value) return;
    const isChanged = draft.text.trim() !== "" && draft.text !== fields.text.value; // an emptied field is no work to bring back
    for (const name of DRAFTED) if (name !== "text" || isChanged) fields[name].value = draft[name];
    const radio = draft.passage && $(`[data-passage="${Number(draft.passage)}"] input`);
    if (radio) radio.checked = true;
    if (!isChanged) return;
    $("[data-correction]").classList.add("open");
    if (!$("#verdict-error")) window.errata.notice("What you had typed is back.");
  }

  document.addEventListener("errata:saved", (event) => {
    localStorage.removeItem(`errata-draft-${$("#annotate").dataset.person}-${event.detail.question}`);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "ask-text") {
      $("#ask-error")?.remove();
      event.target.removeAttribute("aria-invalid");
    }
    if (!event.target.closest("[data-verdict]")) return;
    if (event.target.id === "text") {
      showDifference();
      dropError();
    }
    keepDraft();
  });
  document.addEventListener("change", (event) => { if (event.target.name === "passage") keepDraft(); });

  /* Clicks */

  // A decision that leaves written words aside is taken only when it is made twice.
  let asked = "";

  function isToAskFirst(button) {
    const field = form()?.elements.text;
    if (!field || !LEAVES_WORDS.includes(button.dataset.key)) return false;
    if (field.value.trim() === "" || field.value.trim() === field.defaultValue.trim()) return false;
    const now = `${draftKey()} ${button.dataset.key} ${field.value}`;
    if (asked === now) return false;
    asked = now;
    return true;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-help]")) return $("#keys").showModal();
    if (isToAskFirst(button)) {
      event.preventDefault();
      return window.errata.notice(UNSAVED, 8);
    }
    const isEmpty = button.hasAttribute("data-needs-words") && !form().elements.text.value.trim();
    if (button.dataset.key !== "e" && !isEmpty) return;
    event.preventDefault(); // with a script, Correct opens the field and Save correction sends it
    openCorrection({ select: true });
  });

  /* Keys: off while typing, with a dialog open, with a modifier, and while a key is held down. */

  function press(key) {
    if (key === "?") return $("#keys").showModal();
    if (key === "/") return $("#ask-text")?.focus();
    if (key === "m") return window.errata.evidence.focusText();
    if (key === "e") return openCorrection({ select: true });
    if (/^[1-9]$/.test(key)) {
      const article = document.querySelectorAll("[data-passage]")[Number(key) - 1];
      if (article) window.errata.evidence.choose(article, { toggle: true });
      return article?.scrollIntoView({ block: "nearest" });
    }
    const button = document.querySelector(`#annotate button[data-key="${CSS.escape(key)}"]`);
    const isOff = form() ? !button || button.disabled : !button && key === "u";
    if (isOff) return window.errata.notice(whyNot(key), 6);
    button?.click();
  }

  function whyNot(key) {
    if (key === "u") return "There is nothing to undo.";
    if (!form().dataset.blind) return "The model has not answered this question yet, so there is nothing to judge: ask it now, write the answer (e) or skip (s).";
    return "This question comes without the model's answer: write the answer from the passages, or say that it is unanswerable (n).";
  }

  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.isComposing) return;
    const isSend = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (isSend && event.target.id === "text") {
      event.preventDefault();
      if (!event.repeat) $('button[data-key="save"]')?.click();
      return;
    }
    if (event.target.id === "ask-text" && event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (!event.repeat) event.target.form.requestSubmit();
      return;
    }
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.key.length !== 1) return;
    if (!"aernpsum?/123456789".includes(event.key.toLowerCase())) return;
    event.preventDefault();
    press(event.key.toLowerCase());
  });

  /* The answer of a question that had none comes in by itself, unless somebody is at work: then a link offers it. */

  function isAtWork() {
    const { text, reason } = form().elements;
    const at = document.activeElement ?? document.body;
    return text.value.trim() !== "" || reason.value.trim() !== "" || !(at === document.body || at.matches("[data-focus], #ask-text"));
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const awaits = event.target.matches?.("[data-awaits]");
    if (awaits && (document.hidden || !event.target.querySelector("[data-came]").hidden)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt } = event.detail.requestConfig;
    if (!elt.matches("[data-awaits]") || !event.detail.shouldSwap) return;
    if (elt.isConnected && !isAtWork()) return;
    event.detail.shouldSwap = false; // or the page has gone on to another question
    if (!elt.isConnected) return;
    elt.querySelector("[data-came]").hidden = false;
    keepDraft();
  });

  /* After a swap */

  function settle() {
    if (!form()) return;
    restoreDraft();
    showDifference();
    window.errata.evidence.refresh();
    if ($("#verdict-error") && $("[data-correction].open")) form().elements.text.focus();
  }

  // Said over the page, so that nothing on it moves; what the model had said takes longer to read.
  function sayWhatWasSaved() {
    const saved = $("[data-saved]");
    if (saved) window.errata.notice(saved.textContent.trim(), SAID_FOR_S + saved.textContent.length / 15);
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "annotate") return;
    settle();
    sayWhatWasSaved();
  });
  document.addEventListener("DOMContentLoaded", () => {
    settle();
    sayWhatWasSaved();
  });
})();
