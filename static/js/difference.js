/* The live word difference between the model's answer and the correction. The server makes the same one after saving. */
"use strict";

(() => {
  // A word or a sign with the blanks after it.
  const WORDS = /^\s+|[\p{L}\p{N}_]+\s*|[^\s\p{L}\p{N}_]\s*/gu;
  const MOST_CELLS = 1_000_000;

  // Longest common subsequence of words, from the end, so that the walk below goes forward.
  function table(old, fresh) {
    const lengths = Array.from({ length: old.length + 1 }, () => new Uint16Array(fresh.length + 1));
    for (let i = old.length - 1; i >= 0; i--) {
      for (let j = fresh.length - 1; j >= 0; j--) {
        lengths[i][j] = old[i] === fresh[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
      }
    }
    return lengths;
  }

  function wordChanges(oldText, newText) {
    const [old, fresh] = [oldText.match(WORDS) || [], newText.match(WORDS) || []];
    if (old.length * fresh.length > MOST_CELLS) return [["gone", oldText], ["new", newText]];
    const [a, b] = [old.map((word) => word.trim()), fresh.map((word) => word.trim())];
    const lengths = table(a, b);
    const changes = [];
    const add = (kind, word) => (changes.at(-1)?.[0] === kind ? (changes.at(-1)[1] += word) : changes.push([kind, word]));
    let [i, j] = [0, 0];
    while (i < old.length || j < fresh.length) {
      if (i < old.length && j < fresh.length && a[i] === b[j]) { add("same", fresh[j]); i++; j++; }
      else if (j >= fresh.length || (i < old.length && lengths[i + 1][j] >= lengths[i][j + 1])) add("gone", old[i++]);
      else add("new", fresh[j++]);
    }
    return changes;
  }

  function show(box, oldText, newText) {
    box.replaceChildren();
    if (oldText.trim() === newText.trim() || !oldText || !newText.trim()) return;
    for (const [kind, text] of wordChanges(oldText, newText)) {
      const node = document.createElement({ same: "span", gone: "del", new: "ins" }[kind]);
      const words = kind === "same" ? text : text.trimEnd(); // no line through or under the blank after a word
      node.textContent = words;
      box.append(node, text.slice(words.length));
    }
  }

  window.errata.showDifference = show;
})();
