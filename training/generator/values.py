"""What facts are about: short values that stand in a passage word for word and are the answers."""

from collections.abc import Callable
from random import Random

from training.generator import names

_DAYS = "Mondays Tuesdays Wednesdays Thursdays Fridays Saturdays Sundays".split()
_CUISINES = (
    "Lebanese Italian Korean Mexican Ethiopian Turkish Greek Vietnamese Polish Peruvian Georgian Portuguese Indian Thai Spanish "
    "Moroccan Japanese French Persian Hungarian Nepalese Cuban Danish Syrian"
).split()
_COOKED = "grilled roasted smoked braised fried slow-cooked baked stuffed spicy pickled".split()
_BASES = (
    "lamb shoulder|sea bass|aubergine|duck breast|chicken thighs|trout|cauliflower|pork belly|beef cheeks|mackerel|peppers|rabbit|"
    "prawns|octopus|celeriac|goat|quail|carp|tofu|mushrooms|pumpkin|ribs|artichokes|lentil cakes"
).split("|")
_SIDES = (
    "fennel|apricots|saffron rice|lemon butter|black garlic|mint yoghurt|plum sauce|walnuts|white beans|burnt onions|dill potatoes|"
    "couscous|green olives|chilli jam|bread dumplings|pear chutney|red cabbage|capers"
).split("|")
_SOUPS = "mushroom risotto|fish soup|onion tart|bean stew|noodle soup|beef pie|potato gratin|goat curry|spinach dumplings|crab cakes".split(
    "|"
)
_DESSERTS = (
    "apple tart|rice pudding|lemon cake|fig ice cream|chocolate mousse|baklava|plum crumble|almond biscuits|cheesecake|poached pears|"
    "honey cake|mango sorbet|pancakes|bread pudding|caramel flan|walnut pie|berry trifle|coffee parfait"
).split("|")
_GREENS = (
    "lentil soup|bean salad|cheese dumplings|tomato pasta|vegetable curry|spinach pie|falafel|beetroot carpaccio|potato pancakes|"
    "pumpkin ravioli|stuffed vine leaves|tofu noodles|courgette fritters|halloumi skewers|mushroom burger|barley stew"
).split("|")
_LANGUAGES = (
    "English French Spanish German Arabic Turkish Polish Italian Hindi Greek Dutch Korean Portuguese Russian".split()
)
_SERVICE = (
    "slow but friendly|quick and polite|a little rushed|warm and attentive|rather cold|cheerful and fast|patient and kind|careless|"
    "excellent|calm and helpful|clumsy but charming|brisk|very attentive|forgetful|professional|sleepy|grumpy|efficient"
).split("|")
_PAY = (
    "cash|debit cards|credit cards|gift vouchers|mobile payments|bank transfer|cheques|contactless cards|lunch vouchers|city passes"
).split("|")
_PARKING = (
    "behind the {a}|in front of the {a}|in the garage under the {a}|in the yard next to the {a}|on the gravel lot by the {a}|"
    "in the underground garage on {s}|along {s}|on the lower deck of the {a}|at the end of {s}|opposite the {a}"
).split("|")
_ANCHORS = "church|station|town hall|theatre|old mill|harbour|school|post office|swimming pool|stadium|market hall|brewery|bridge|cinema".split(
    "|"
)
_SPOTS = (
    "behind the shed|under the stairs|next to the fountain|in front of the kiosk|on the second floor|at the back of the yard|"
    "beside the big tree|in the hall under the clock|by the side door|on the bench along the wall|in the cellar|at the end of {s}|"
    "along {s}|in the passage to {s}|opposite the bakery|between the two gates|on the roof|near the statue|in the tent|"
    "across from the pharmacy|in the corner by the stove|under the arch|behind the {a}|opposite the {a}|in the garden of the {a}"
).split("|")
_FEATURES = (
    "a tiled stove|a glass ceiling|red velvet curtains|a wall of old clocks|long wooden tables|a painted dome|a spiral staircase|"
    "a stone fireplace|a row of lemon trees|green leather chairs|a copper bar|stained-glass windows|a pond with carp|a grand piano"
).split("|")
_GOODS = (
    "candles|fountain pens|wool blankets|board games|tea|maps|bicycles|umbrellas|records|spices|seeds|soap|hats|kites|ceramics|knives|"
    "cameras|stamps|lamps|toys|paper|boots"
).split("|")
_TOPICS = (
    "lace|salt|shipbuilding|clocks|toys|mining|glass|tramways|bread|printing|puppets|fishing|radio|mushrooms|weaving|comics|medicine|locks"
).split("|")
_TREATMENTS = (
    "eye tests|vaccinations|blood tests|dental checks|skin checks|physiotherapy|hearing tests|X-rays|allergy tests|foot care|massages"
).split("|")
_MEDIA = "novels|newspapers|audiobooks|sheet music|maps|films|comics|board games|picture books|magazines|cookbooks|travel guides".split(
    "|"
)
_COURSES = "yoga|spinning|boxing|pilates|dancing|climbing|rowing|swimming|karate|stretching|badminton|gymnastics|judo|zumba".split(
    "|"
)


def join(items: list[str]) -> str:
    """Items as English writes a list: ``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _clock(random: Random, low: int, high: int) -> str:
    hour = random.randint(low, high)
    half = "am" if hour < 12 else "pm"
    if hour == 12:
        return random.choice(("noon", "12:30 pm"))
    minutes = random.choice(("", "", "", ":30", ":15", ":45"))
    return f"{hour if hour <= 12 else hour - 12}{minutes} {half}"


def _dish(random: Random) -> str:
    if random.random() < 0.25:
        return random.choice(_SOUPS)
    side = f" with {random.choice(_SIDES)}" if random.random() < 0.6 else ""
    return f"{random.choice(_COOKED)} {random.choice(_BASES)}{side}"


def _some(items: list[str]) -> Callable[[Random, str], str]:
    return lambda random, split: join(random.sample(items, random.choice((1, 2, 2, 3, 3))))


def _several(items: list[str]) -> Callable[[Random, str], str]:
    return lambda random, split: join(random.sample(items, random.choice((2, 2, 3, 3, 4))))


def _one(items: list[str]) -> Callable[[Random, str], str]:
    return lambda random, split: random.choice(items)


def _parking(random: Random, split: str) -> str:
    return random.choice(_PARKING).format(
        a=random.choice(_ANCHORS), s=names.street(random, split).lstrip("0123456789 ")
    )


def _spot(random: Random, split: str) -> str:
    street = names.street(random, split).lstrip("0123456789 ")
    return random.choice(_SPOTS).format(a=random.choice(_ANCHORS), s=street)


OPEN_VALUES = (
    "dish",
    "person",
    "street",
    "feature",
    "topic",
    "number",
    "year",
    "price",
    "day",
    "goods",
    "cuisine",
    "spot",
    "loan",
)
"""The makers that open families draw from."""

MAKERS: dict[str, Callable[[Random, str], str]] = {
    "morning": lambda random, split: _clock(random, 6, 12),
    "evening": lambda random, split: "midnight" if random.random() < 0.08 else _clock(random, 17, 23),
    "day": _one(_DAYS),
    "days": lambda random, split: join(sorted(random.sample(_DAYS, random.choice((1, 1, 2))), key=_DAYS.index)),
    "cuisine": _one(_CUISINES),
    "person": names.person,
    "street": names.street,
    "dish": lambda random, split: _dish(random),
    "desserts": _several(_DESSERTS),
    "greens": _several(_GREENS),
    "languages": _some(_LANGUAGES),
    "service": _one(_SERVICE),
    "payment": _some(_PAY),
    "parking": _parking,
    "spot": _spot,
    "feature": _one(_FEATURES),
    "goods": _several(_GOODS),
    "topic": _one(_TOPICS),
    "treatments": _several(_TREATMENTS),
    "media": _several(_MEDIA),
    "courses": _several(_COURSES),
    "number": lambda random, split: str(random.choice((random.randint(8, 60), random.randint(10, 40) * 5))),
    "year": lambda random, split: str(random.randint(1890, 2025)),
    "price": lambda random, split: f"{random.randint(2, 48)} euros",
    "minutes": lambda random, split: random.choice(
        (f"{random.randint(1, 12) * 5} minutes", "half an hour", "an hour", "a quarter of an hour", "two hours")
    ),
    "week": lambda random, split: random.choice(("Every", "Each")).lower() + " " + random.choice(_DAYS)[:-1],
    "loan": lambda random, split: (
        f"{random.choice(('two', 'three', 'four', 'six', 'eight'))} {random.choice(('weeks', 'months'))}"
    ),
}
"""Value makers by name: ``MAKERS[name](random, split)``; only the made-up words in a value depend on the split."""
