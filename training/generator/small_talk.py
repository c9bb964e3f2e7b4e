"""What people say beside the facts: sentences that begin a passage, stand between its facts and end it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SmallTalk:
    """Templates of sentences that state no fact. Openers and closers know ``{n}`` (name of the place), all know ``[a|b]`` choices."""

    openers: tuple[str, ...]
    fillers: tuple[str, ...]
    closers: tuple[str, ...]


OF_GUESTS = SmallTalk(
    openers=(
        "We [went to|tried|visited] {n} [last week|on a rainy evening|for a birthday|with four friends|by chance].",
        "{n} [was|is] [a lucky find|worth the trip|not what we expected|a favourite of ours].",
        "My [sister|brother|neighbour|boss] had told me about {n}.",
        "[Finally|At last] we made it to {n}.",
        "A [short|quick] word about {n}.",
        "News from {n}.",
        "This was our [second|third|first] visit to {n}.",
        "{n} [wrote|posted] a notice for its guests.",
    ),
    fillers=(
        "The [room|dining room] was [full|half empty|loud|cosy|warmer than we liked].",
        "[My|Our] [aunt|friend|colleague] [laughed all evening|was in a good mood|wanted to stay longer|forgot her scarf].",
        "The portions were [generous|small|just right].",
        "The bread was [still warm|fresh|a bit dry].",
        "We [talked|laughed] a lot and forgot the time.",
        "The plates were [hot|pretty|chipped].",
        "Somebody at the next table celebrated a birthday.",
        "The [soup|sauce|salad] needed [salt|pepper|more lemon].",
        "It was raining when we came out.",
        "The water came in a blue jug.",
        "The chairs [are|were] not very comfortable.",
        "I liked the smell of the kitchen.",
        "The menu is short, and that is a good sign.",
        "The napkins were folded like boats.",
        "The wine was [fine|too warm|better than expected].",
        "Our table stood near the window.",
        "The candles were a nice touch.",
        "Nobody rushed us.",
        "The menu changes with the seasons.",
        "The spoon fell twice and nobody cared.",
    ),
    closers=(
        "We will [come back|be back|return] [soon|in spring|with friends].",
        "All in all [a good evening|a fair deal|four stars from us].",
        "I am not sure we will return.",
        "Thank you for a lovely evening.",
        "You could do worse.",
        "See you there.",
        "Recommended.",
    ),
)

OF_VISITORS = SmallTalk(
    openers=(
        "We [went to|visited|came to] {n} [last week|on a rainy morning|with the children|by chance].",
        "{n} [is|was] [worth the trip|a lucky find|not what we expected].",
        "My [sister|brother|neighbour|teacher] had told me about {n}.",
        "A [short|quick] word about {n}.",
        "News from {n}.",
        "[Finally|At last] we made it to {n}.",
        "{n} [wrote|posted] a notice.",
    ),
    fillers=(
        "It was [cold|warm|windy] that day.",
        "The door [squeaks|is hard to open].",
        "[My|Our] [aunt|friend|colleague] [laughed a lot|was in a good mood|wanted to stay longer|forgot her scarf].",
        "The floor had just been cleaned.",
        "Someone played with a pencil at the desk.",
        "The light inside is [soft|bright|a bit dim].",
        "We [talked|laughed] a lot and forgot the time.",
        "It was raining when we came out.",
        "There was a smell of [paint|coffee|wood].",
        "The clock on the wall was wrong.",
        "A small queue had formed.",
        "Nobody rushed us.",
        "The walls are [green|white|yellow].",
        "The sign outside is easy to miss.",
    ),
    closers=(
        "We will [come back|return] [soon|in spring|with friends].",
        "All in all [a good day|a fair deal|four stars from us].",
        "I am not sure we will return.",
        "You could do worse.",
        "See you there.",
        "Recommended.",
    ),
)
