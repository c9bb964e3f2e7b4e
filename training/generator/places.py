"""The other sorts of place, so that the starter does not take every name for a restaurant."""

from training.generator.common import COMMON
from training.generator.families import Domain, Family
from training.generator.small_talk import OF_VISITORS


def _domain(key: str, nouns: tuple[str, ...], names: tuple[str, ...], own: tuple[Family, ...]) -> Domain:
    return Domain(key, nouns, names, COMMON + own, OF_VISITORS)


def _price(thing: str, *, key: str) -> Family:
    """The price of one thing, in the wordings that prices share."""
    return Family(
        key,
        "value",
        "price",
        (
            f"{thing} at {{x}} costs {{v}}",
            f"{thing} at {{x}} is {{v}}",
            f"at {{x}} we paid {{v}} for {thing}",
            f"{{x}} asks {{v}} for {thing}",
        ),
        (
            f"How much [is|does it cost for] {thing} at {{n}}?",
            f"How much does {thing} cost at {{n}}?",
            f"What does {thing} cost at {{n}}?",
            f"What is the price of {thing} at {{n}}?",
            f"How much do you pay for {thing} at {{n}}?",
            f"Tell me the price of {thing} at {{n}}.",
            f"What do [you|we|people|guests] pay for {thing} at {{n}}?",
            f"Is {thing} at {{n}} expensive, how much is it?",
            f"How expensive is it to get {thing} at {{n}}?",
            f"How much money do I need for {thing} at {{n}}?",
            f"What do they charge for {thing} at {{n}}?",
        ),
        (f"How expensive is {thing} at {{n}}?", f"What do I pay for {thing} at {{n}}?"),
    )


def _things(key: str, value: str, thing: str, verb: str) -> Family:
    """A list of the things a place has."""
    return Family(
        key,
        "list",
        value,
        (f"the {thing} at {{x}} are {{v}}", f"{{x}} {verb}s {{v}}", "at {x} you find {v}", "{x} is the place for {v}"),
        (
            f"[Which|What] {thing} [are there|do they {verb}] at {{n}}?",
            f"[Which|What] {thing} does {{n}} {verb}?",
            f"What does {{n}} {verb}?",
            f"List the {thing} at {{n}}.",
            f"Name the {thing} of {{n}}.",
            f"What {thing} can I find at {{n}}?",
            f"What {thing} do you get at {{n}}?",
            f"Which {thing} does {{n}} have to {verb}?",
        ),
        (f"Which {thing} can I get at {{n}}?", f"What {thing} does {{n}} have?"),
    )


def _head(key: str, title: str) -> Family:
    """The person at the head of a place."""
    return Family(
        key,
        "value",
        "person",
        (
            f"the {title} of {{x}} is {{v}}",
            f"{{v}} is the {title} of {{x}}",
            "{v} runs {x}",
            "{x} is led by {v}",
            f"{{x}} welcomed {{v}} as its {title}",
        ),
        (
            f"Who is the {title} of {{n}}?",
            "Who [runs|leads] {n}?",
            f"What is the name of the {title} of {{n}}?",
            f"Tell me the {title} of {{n}}.",
            "By whom is {n} led?",
            f"Which {title} does {{n}} have?",
            f"How is the {title} of {{n}} called?",
            f"Which person is {title} at {{n}}?",
            "Who is the person at the head of {n}?",
        ),
        (f"What is the {title} of {{n}} called?", f"Which person is the {title} of {{n}}?"),
    )


def _yes_no(
    key: str, has: tuple[str, ...], lacks: tuple[str, ...], questions: tuple[str, ...], *, held_out: tuple[str, ...]
) -> Family:
    return Family(key, "yes_no", "", has, questions, held_out, lacks)


_BREAKFAST = _yes_no(
    "breakfast",
    ("breakfast is included at {x}", "{x} serves breakfast to its guests"),
    ("{x} serves no breakfast", "breakfast is not included at {x}"),
    (
        "Is breakfast included at {n}?",
        "Does {n} serve breakfast?",
        "Do guests get breakfast at {n}?",
        "Is there breakfast at {n}?",
        "Do they have breakfast for guests at {n}?",
    ),
    held_out=("Can I have breakfast at {n}?",),
)
_TOUR = _yes_no(
    "tour",
    ("{x} offers guided tours", "there are guided tours at {x}"),
    ("{x} offers no guided tours", "there are no guided tours at {x}"),
    (
        "Does {n} offer guided tours?",
        "Are there guided tours at {n}?",
        "Can I join a guided tour at {n}?",
        "Can one get a guided tour at {n}?",
        "Is there a tour with a guide at {n}?",
    ),
    held_out=("Is there a guided tour at {n}?",),
)
_REPAIR = _yes_no(
    "repair",
    ("{x} repairs what it sells", "you can have things repaired at {x}"),
    ("{x} does not repair things", "nothing can be repaired at {x}"),
    (
        "Does {n} repair things?",
        "Can I have things repaired at {n}?",
        "Do they repair things at {n}?",
        "Can they repair things at {n}?",
        "Is it possible to get broken things repaired at {n}?",
    ),
    held_out=("Is it possible to have things repaired at {n}?",),
)
_APPOINTMENT = _yes_no(
    "appointment",
    ("you need an appointment at {x}", "{x} only sees patients with an appointment"),
    ("no appointment is needed at {x}", "{x} sees patients without an appointment"),
    (
        "Do I need an appointment at {n}?",
        "Is an appointment necessary at {n}?",
        "Must I make an appointment at {n}?",
        "Does one need an appointment at {n}?",
        "Is it necessary to have an appointment at {n}?",
    ),
    held_out=("Is it necessary to make an appointment at {n}?",),
)
_LOAN = Family(
    "loan",
    "value",
    "loan",
    ("{x} lends books for {v}", "you may keep a book from {x} for {v}", "books from {x} are due after {v}"),
    (
        "How long [can|may] I keep a book from {n}?",
        "For how long does {n} lend books?",
        "When are books from {n} due?",
        "How long is the loan at {n}?",
        "How much time do I get with a book of {n}?",
        "How much time is there to read a book from {n}?",
    ),
    ("How much time do I have for a book from {n}?",),
)
_SHOWS = Family(
    "topic",
    "value",
    "topic",
    (
        "{x} shows the history of {v}",
        "{x} is all about {v}",
        "the collection of {x} is about {v}",
        "at {x} you learn everything about {v}",
    ),
    (
        "What is {n} about?",
        "What does {n} show?",
        "What can you learn about at {n}?",
        "What is the collection of {n} about?",
        "[Which|What] topic does {n} show?",
        "What topic does {n} have?",
        "Which topic is the collection of {n} about?",
        "What do they show at {n}?",
    ),
    ("What is the topic of {n}?", "What does the collection of {n} show?"),
)
_ROOMS = Family(
    "rooms",
    "value",
    "number",
    ("{x} has {v} rooms", "there are {v} rooms at {x}", "guests of {x} choose from {v} rooms"),
    (
        "How many rooms [does {n} have|are there at {n}]?",
        "What is the number of rooms at {n}?",
        "How many rooms are there for guests of {n}?",
        "How many rooms can [I|we] choose at {n}?",
    ),
    ("How many rooms can guests choose from at {n}?",),
)

PLACES = (
    _domain(
        "hotel",
        ("hotel", "place"),
        ("Hotel {w}", "{w} Inn", "{w} Lodge", "The {w}", "Pension {w}"),
        (_price("a double room", key="room_price"), _ROOMS, _head("manager", "manager"), _BREAKFAST),
    ),
    _domain(
        "museum",
        ("museum", "place"),
        ("{w} Museum", "Museum {w}", "{w} Collection", "{w} Gallery"),
        (_price("a ticket", key="ticket_price"), _SHOWS, _head("director", "director"), _TOUR),
    ),
    _domain(
        "shop",
        ("shop", "place"),
        ("{w}", "{w} & Sons", "{w} Store", "{w} Market", "Maison {w}"),
        (_things("goods", "goods", "goods", "sell"), _head("owner", "owner"), _REPAIR),
    ),
    _domain(
        "clinic",
        ("clinic", "place"),
        ("{w} Clinic", "{w} Practice", "Clinic {w}"),
        (
            _things("treatments", "treatments", "treatments", "offer"),
            _head("doctor", "head doctor"),
            _price("a check-up", key="check_price"),
            _APPOINTMENT,
        ),
    ),
    _domain(
        "library",
        ("library", "place"),
        ("{w} Library", "Library {w}", "{w} Reading Room"),
        (
            _things("media", "media", "media", "lend"),
            _LOAN,
            _head("librarian", "head librarian"),
            _price("a library card", key="card_price"),
        ),
    ),
    _domain(
        "gym",
        ("gym", "place"),
        ("{w} Gym", "Studio {w}", "{w} Sports Club"),
        (
            _things("courses", "courses", "courses", "offer"),
            _price("a day pass", key="pass_price"),
            _head("trainer", "head trainer"),
        ),
    ),
)
