/* Under the correction, as soon as typing pauses: in which of the passages shown its words stand. The rule is the server's, `find_answer` in
   training/answerers/rows.py: whole words, character for character but for case; beside an end
   that is no letter or digit anything may stand. A test compares the two. */
"use strict";

(() => {
  const PAUSE_MS = 250; // quiet while one types, and said before a hand has gone from the keys to a button
  const LETTER = "[\\p{L}\\p{N}_]";
  let timer;

  // Where case is disregarded the server takes all kinds of i for one letter; a browser does not by itself.
  const pattern = (words) => words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/[iIİı]/g, "[iİı]");

  // `start` counts code points, as evidence does.
  function stands(words, passage, start = null) {
    if (!words) return false;
    if (start !== null && [...passage].slice(start).join("").startsWith(words)) return true;
    const [before, after] = [new RegExp(`^${LETTER}`, "u").test(words), new RegExp(`${LETTER}$`, "u").test(words)];
    return new RegExp(`${before ? `(?<!${LETTER})` : ""}${pattern(words)}${after ? `(?!${LETTER})` : ""}`, "iu").test(passage);
  }

  function holders(form, words) {
    const { start, evidence_passage: marked } = form.elements;
    return [...document.querySelectorAll("[data-passage]")].filter((article) => {
      const from = start.value && marked.value === article.dataset.passage ? Number(start.value) : null;
      return stands(words, article.querySelector("[data-passage-text]").textContent, from);
    });
  }

  function numbers(articles) {
    const ranks = articles.map((article) => article.dataset.rank);
    return ranks.length === 1 ? `passage ${ranks[0]}` : `passages ${ranks.slice(0, -1).join(", ")} and ${ranks.at(-1)}`;
  }

  function sentence(form, box) {
    const words = form.elements.text.value.trim();
    const chosen = document.querySelector("[data-passage]:has(input:checked)");
    const isUntouched = !chosen && words === form.dataset.answer.trim();
    if (!words || isUntouched || JSON.parse(box.dataset.fixed).includes(words)) return "";
    const found = holders(form, words);
    if (chosen && found.includes(chosen)) return "";
    const ranked = found.filter((article) => article.dataset.rank); // one that was not retrieved counts only when it is chosen
    if (!ranked.length) return box.dataset.nowhere;
    const one = ranked.length === 1;
    if (chosen) return `Found in ${numbers(ranked)}, not in the one you chose: choose ${one ? "that one" : "the right one"}, or save it as it is.`;
    return `Found in ${numbers(ranked)}${one ? "." : ": choose the right one."}`;
  }

  function show() {
    const form = document.getElementById("verdict");
    const box = document.querySelector("[data-standing]");
    if (!form || !box) return;
    const said = sentence(form, box);
    if (box.textContent !== said) box.textContent = said; // the same words are not read out twice
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  }

  document.addEventListener("input", (event) => { if (event.target.id === "text") soon(); });
  document.addEventListener("change", (event) => { if (event.target.name === "passage") soon(); });
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "annotate") soon(); });
  document.addEventListener("DOMContentLoaded", soon);

  window.errata.stands = stands;
})();
