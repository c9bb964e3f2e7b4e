"""Format and parse are inverse, and no split shares a question."""

from hypothesis import given
from hypothesis import strategies as st

from training.split import split_of
from training.tasks import qa
from training.types import Target

TEXTS = st.text(max_size=60).map(str.strip)
TRAPS = st.sampled_from(
    ["not answerable", "Not Answerable", "\\not answerable", "\\\\not answerable", "\\", "not answerable."]
)


@given(st.one_of(TEXTS, TRAPS))
def test_parse_is_the_inverse_of_format_target(text: str) -> None:
    assert qa.parse(qa.format_target(Target(text))) == Target(text)


def test_the_refusal_comes_back_as_not_answerable() -> None:
    assert qa.parse(qa.format_target(Target("", answerable=False))) == Target("", answerable=False)


def test_the_prompt_has_the_context_first() -> None:
    prompt = qa.format("Who?", "Ann did.")
    assert prompt.index("Ann did.") < prompt.index("Who?") < prompt.index("Answer:")


@given(st.text(alphabet="abc XY?!.,", min_size=1, max_size=30))
def test_writings_of_one_question_share_a_split(text: str) -> None:
    assert split_of(text) == split_of(f"  {text.upper()} ?!") == split_of(text.replace(" ", "  "))


def test_the_splits_have_their_shares() -> None:
    names = [split_of(f"question number {i}") for i in range(4000)]
    assert 0.66 < names.count("train") / 4000 < 0.74
    assert 0.12 < names.count("validation") / 4000 < 0.18
    assert 0.12 < names.count("test") / 4000 < 0.18
