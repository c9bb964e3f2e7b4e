/* Words dragged over in a passage become the answer and its evidence. Offsets count code points, as the server does; a string's own
   indices here count UTF-16 units. Also: a click on a passage chooses it. By keyboard: a passage's text can be focused, Left and Right go from
   word to word, with Shift they take more words in, Enter takes them, Escape lets go. */
"use strict";

(() => {
  const WORD = /[\p{L}\p{N}_]/u;
  const form = () => document.getElementById("verdict");

  function offsetIn(text, node, offset) {
    const range = document.createRange();
    range.selectNodeContents(text);
    range.setEnd(node, offset);
    return [...range.toString()].length;
  }

  // Whole words without the spaces around them: nobody hits letters exactly.
  function tidy(letters, start, end) {
    while (start < end && /\s/u.test(letters[start])) start++;
    while (end > start && /\s/u.test(letters[end - 1])) end--;
    if (start >= end) return null;
    while (start > 0 && WORD.test(letters[start]) && WORD.test(letters[start - 1])) start--;
    while (end < letters.length && WORD.test(letters[end - 1]) && WORD.test(letters[end])) end++;
    return [start, end];
  }

  function rangeOf(text, start, end) {
    const range = document.createRange();
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    let seen = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const letters = [...node.data];
      const unit = (count) => letters.slice(0, count).join("").length;
      if (start >= seen && start < seen + letters.length) range.setStart(node, unit(start - seen));
      if (end > seen && end <= seen + letters.length) { range.setEnd(node, unit(end - seen)); return range; }
      seen += letters.length;
    }
    return null;
  }

  function paint() {
    if (!window.CSS?.highlights) return;
    CSS.highlights.delete("evidence");
    const fields = form()?.elements;
    if (!fields || !fields.start.value) return;
    const text = document.querySelector(`[data-passage="${fields.evidence_passage.value}"] [data-passage-text]`);
    const range = text && rangeOf(text, Number(fields.start.value), Number(fields.end.value));
    if (range) CSS.highlights.set("evidence", new Highlight(range));
  }

  function quote() {
    const box = document.querySelector("[data-evidence]");
    const fields = form()?.elements;
    if (!box || !fields) return;
    const passage = document.querySelector(`[data-passage="${fields.evidence_passage.value}"] [data-passage-text]`);
    box.hidden = !passage || !fields.start.value;
    if (!box.hidden) {
      box.querySelector("[data-quote]").textContent = [...passage.textContent].slice(Number(fields.start.value), Number(fields.end.value)).join("");
    }
    paint();
  }

  function drop() {
    const fields = form().elements;
    fields.start.value = fields.end.value = fields.evidence_passage.value = "";
    quote();
  }

  function choose(article, { toggle = false } = {}) {
    const radio = article.querySelector("input[type=radio]");
    radio.checked = !(toggle && radio.checked);
    if (form() && form().elements.evidence_passage.value !== radio.value) drop();
    radio.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function take(article, text, selection) {
    const range = selection.getRangeAt(0);
    const letters = [...text.textContent];
    const first = text.contains(range.startContainer) ? offsetIn(text, range.startContainer, range.startOffset) : 0;
    const last = text.contains(range.endContainer) ? offsetIn(text, range.endContainer, range.endOffset) : letters.length;
    const span = tidy(letters, first, last);
    if (!span) return;
    choose(article);
    const fields = form().elements;
    [fields.start.value, fields.end.value] = span.map(String);
    fields.evidence_passage.value = article.dataset.passage;
    selection.removeAllRanges();
    quote();
    document.dispatchEvent(new CustomEvent("errata:taken", { detail: letters.slice(...span).join("") }));
  }

  /* By keyboard: which words are held, as [first, last] into the words of the passage; the one that moves is last. */

  const WORDS = /[\p{L}\p{N}_]+(?:['’.,:-][\p{L}\p{N}_]+)*/gu; // don't, 9.30 and 1,200 are one word each
  const held = new WeakMap();
  const spoken = document.createElement("div"); // what is held, for those who hear the page
  spoken.className = "visually-hidden";
  spoken.setAttribute("role", "status");
  spoken.id = "evidence-spoken";

  function wordsOf(text) {
    const whole = text.textContent;
    let units = 0;
    let letters = 0;
    return [...whole.matchAll(WORDS)].map((found) => {
      const start = letters + [...whole.slice(units, found.index)].length;
      letters = start + [...found[0]].length;
      units = found.index + found[0].length;
      return [start, letters];
    });
  }

  function hold(text, first, last) {
    const words = wordsOf(text);
    if (!words.length) return;
    const [from, to] = [Math.min(first, last), Math.max(first, last)];
    const range = rangeOf(text, words[from][0], words[to][1]);
    held.set(text, [first, last]);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    spoken.textContent = range.toString();
    const box = range.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) scrollBy({ top: box.top - innerHeight / 2 });
  }

  function letGo(text) {
    held.delete(text);
    getSelection().removeAllRanges();
    spoken.textContent = "";
  }

  function step(text, key, isMore) {
    const end = wordsOf(text).length - 1;
    const [first, last] = held.get(text) || [];
    const targets = { ArrowRight: last === undefined ? 0 : Math.min(last + 1, end), ArrowLeft: Math.max((last ?? 1) - 1, 0), Home: 0, End: end };
    hold(text, isMore && first !== undefined ? first : targets[key], targets[key]);
  }

  function focusText() {
    const chosen = document.querySelector("[data-passage]:has(input:checked)") || document.querySelector("[data-passage]");
    const text = chosen?.querySelector("[data-passage-text]");
    text?.focus();
    if (text && !held.has(text)) hold(text, 0, 0);
  }

  document.addEventListener("keydown", (event) => {
    const text = event.target;
    if (!text.matches?.("[data-passage-text]") || !form() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (["ArrowRight", "ArrowLeft", "Home", "End"].includes(event.key)) step(text, event.key, event.shiftKey);
    else if (event.key === "Escape") letGo(text);
    else if (event.key === "Enter" && held.has(text) && !event.repeat) {
      take(text.closest("[data-passage]"), text, getSelection());
      held.delete(text);
      spoken.textContent = "";
    } else return;
    event.preventDefault();
  });
  document.addEventListener("DOMContentLoaded", () => document.body.append(spoken));

  let pressed = null;
  let takenAt = -Infinity; // times count from the page's own start: 0 would swallow a click in its first moments
  document.addEventListener("pointerdown", (event) => {
    pressed = event.target.closest?.("[data-passage-text]") || null;
    if (pressed) held.delete(pressed); // the mouse selects for itself
  });
  document.addEventListener("pointerup", (event) => {
    const selection = getSelection();
    const text = pressed;
    pressed = null;
    if (!text || !form() || event.button !== 0 || selection.isCollapsed || !selection.toString().trim()) return;
    take(text.closest("[data-passage]"), text, selection);
    takenAt = event.timeStamp;
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-drop-evidence]")) return drop();
    const article = event.target.closest("[data-passage]");
    if (!article || !form() || event.target.closest("label, a, button")) return;
    if (event.timeStamp - takenAt < 300) return; // the click that ends a drag is no choice of a passage
    choose(article, { toggle: true });
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-passage] input[type=radio]") && form() && form().elements.evidence_passage.value !== event.target.value) drop();
  });

  function refresh() {
    for (const text of document.querySelectorAll("[data-passage-text]")) text.tabIndex = 0; // only where a script hears its keys
    quote();
  }

  window.errata.evidence = { refresh, choose, focusText };
})();
