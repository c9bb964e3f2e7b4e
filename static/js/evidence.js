/* Words dragged over in a passage become the answer and its evidence. Offsets count code points, as the server does; a string's own
   indices here count UTF-16 units. Also: a click on a passage chooses it. */
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

  let pressed = null;
  let takenAt = -Infinity; // times count from the page's own start: 0 would swallow a click in its first moments
  document.addEventListener("pointerdown", (event) => { pressed = event.target.closest?.("[data-passage-text]") || null; });
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

  window.errata.evidence = { refresh: quote, choose };
})();
