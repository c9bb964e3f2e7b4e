"""Question families without end, for practice alone: any thing may be told of a place and asked for in the words it was told in.

With a few dozen families only, a small model learns each by heart and a new one from nothing. With these it has to find the
sentence that speaks of what the question speaks of, which is what lets a person's few labels teach it a family of their own.
"""

from dataclasses import replace
from random import Random

from training.generator.families import Domain, Family
from training.generator.values import OPEN_VALUES

_NOUNS = (
    "password|mascot|colour|motto|slogan|symbol|theme|neighbour|sponsor|patron|lucky number|emblem|nickname|oldest guest|first name|"
    "favourite tool|main exhibit|best seller|deposit|entrance|emergency exit|landmark|house drink|anthem|flower|tree|season|event|"
    "prize|rival|twin town|supplier|builder|architect|gardener|cleaner|bus line|ticket office|tower|hall|song|logo|uniform|fee|"
    "discount|fine|tax|rent|score|record|distance|age limit|weight limit|height|area|temperature|speed|insurance|key|alarm code"
).split("|")
_DEEDS = (
    "lock a bicycle|smoke|wait for a taxi|buy stamps|leave an umbrella|hang a coat|charge a phone|take photos|fill a bottle|"
    "collect a parcel|rest|stand in line|drop the keys|feed the birds|tie up a horse|store luggage|return a tray|wash hands|"
    "buy tickets|sit in the shade|read the paper|play chess|meet a guide|post a letter|try on shoes|warm their feet|hear the choir|"
    "see the river|watch the sunset|sleep|swim|dance|work|draw|sing|vote|camp"
).split("|")
_VERBS = (
    "repair|print|collect|plant|paint|export|polish|rent|brew|bake|weave|carve|breed|frame|weld|tune|dye|knit|pack|clean|test|draw|"
    "teach|film|record|store|mix|sort|burn|trade"
).split("|")


def _of_noun(random: Random) -> Family:
    noun = random.choice(_NOUNS)
    return Family(
        f"open {noun}",
        "value",
        random.choice(OPEN_VALUES),
        (
            f"the {noun} [of|at] {{x}} is {{v}}",
            f"{{x}} has {{v}} as its {noun}",
            f"{{v}} is the {noun} of {{x}}",
            f"for its {noun} {{x}} chose {{v}}",
            f"people say that the {noun} of {{x}} is {{v}}",
        ),
        (
            f"What is the {noun} [of|at] {{n}}?",
            f"[Which|What] {noun} does {{n}} have?",
            f"Tell me the {noun} of {{n}}.",
            f"What {noun} did {{n}} choose?",
            f"Do you know the {noun} of {{n}}?",
            f"What do people say is the {noun} of {{n}}?",
        ),
        (),
    )


def _of_deed(random: Random) -> Family:
    deed = random.choice(_DEEDS)
    return Family(
        f"open {deed}",
        "value",
        "spot",
        (
            f"you can {deed} {{v}} at {{x}}",
            f"guests of {{x}} {deed} {{v}}",
            f"to {deed} at {{x}}, go {{v}}",
            f"people {deed} {{v}} when they come to {{x}}",
            f"we had to {deed} {{v}} before we went to {{x}}",
        ),
        (
            f"Where [can|do|may] [I|we|you|guests|people] {deed} at {{n}}?",
            f"Where is it possible to {deed} at {{n}}?",
            f"I want to {deed} at {{n}}, where do I go?",
            f"Where do guests of {{n}} {deed}?",
            f"Where should I go to {deed} at {{n}}?",
        ),
        (),
    )


def _of_verb(random: Random) -> Family:
    verb = random.choice(_VERBS)
    return Family(
        f"open {verb}",
        "list",
        random.choice(("goods", "media", "courses", "treatments")),
        (
            f"at {{x}} they {verb} {{v}}",
            f"you can {verb} {{v}} at {{x}}",
            f"the people of {{x}} {verb} {{v}}",
            f"what {{x}} will {verb} are {{v}}",
            f"{{x}} is happy to {verb} {{v}}",
        ),
        (
            f"What does {{n}} {verb}?",
            f"What [do they|do people|can I|can you] {verb} at {{n}}?",
            f"Which things does {{n}} {verb}?",
            f"What is {{n}} happy to {verb}?",
            f"Which things can you {verb} at {{n}}?",
        ),
        (),
    )


_SORTS = (_of_noun, _of_deed, _of_deed, _of_verb)


def open_domain(domain: Domain, random: Random, *, count: int = 4) -> Domain:
    """The domain with ``count`` of its own families and as many open ones."""
    found = {family.key: family for family in (random.choice(_SORTS)(random) for _ in range(count))}
    own = random.sample(domain.families, min(count, len(domain.families)))
    return replace(domain, families=(*own, *found.values()))
