"""Restaurants: the domain the demo corpus comes from."""

from training.generator.common import COMMON
from training.generator.families import Domain, Family

FAMILIES = (
    Family(
        "cuisine", "value", "cuisine",
        ("{x} [serves|cooks|offers] {v} food", "{x} is a {v} restaurant", "the kitchen of {x} is {v}", "{x} brings {v} cooking to the neighbourhood", "if you like {v} dishes, go to {x}"),
        ("What [kind|sort|type] of food does {n} [serve|offer|cook]?", "[Which|What] cuisine [does {n} serve|does {n} offer|is served at {n}]?", "What food [is there|do they serve|can I eat] at {n}?",
         "What is the cuisine of {n}?", "What kind of restaurant is {n}?", "Which country does the food at {n} come from?", "What do they cook at {n}?"),
        ("What type of cuisine do they offer at {n}?", "Which kind of cooking does {n} do?"),
    ),
    Family(
        "chef", "value", "person",
        ("{v} [cooks|is the chef] at {x}", "the chef of {x} is {v}", "the kitchen of {x} is run by {v}", "{x} hired {v} as chef", "in the kitchen of {x} stands {v}"),
        ("Who [cooks|is the chef] at {n}?", "Who is the [chef|cook] of {n}?", "Who runs the kitchen [of|at] {n}?", "What is the name of the chef [of|at] {n}?", "Which chef [works|cooks] at {n}?",
         "Tell me the name of the chef at {n}.", "Who is in the kitchen at {n}?"),
        ("Who does the cooking at {n}?", "What is the chef of {n} called?"),
    ),
    Family(
        "owner", "value", "person",
        ("{v} owns {x}", "the owner of {x} is {v}", "{x} belongs to {v}", "{x} was taken over by {v}", "at the door of {x} the owner, {v}, greets everybody"),
        ("Who [owns|is the owner of] {n}?", "Who does {n} belong to?", "What is the name of the owner of {n}?", "Who took over {n}?", "Tell me the owner of {n}.", "Whose restaurant is {n}?"),
        ("What is the owner of {n} called?", "Which person owns {n}?"),
    ),
    Family(
        "speciality", "value", "dish",
        ("{x} is [known|famous|praised] for its {v}", "the speciality of {x} is {v}", "the dish to order at {x} is {v}", "most guests come to {x} for the {v}", "the signature dish at {x} is {v}"),
        ("What is {n} [known|famous] for?", "What is the [speciality|signature dish|best dish] [of|at] {n}?", "[Which|What] dish is {n} [known|famous] for?", "What should [I|we|you] order at {n}?",
         "Which dish do most guests order at {n}?", "What do people come to {n} for?", "What is the dish to order at {n}?"),
        ("Which speciality does {n} serve?", "What dish made {n} famous?"),
    ),
    Family(
        "seats", "value", "number",
        ("{x} has {v} seats", "{x} seats {v} guests", "there is room for {v} guests at {x}", "up to {v} people can sit at {x}"),
        ("How many seats are [there |]at {n}?", "How many seats does {n} have?", "How many [guests|people] can [sit|eat] at {n}?",
         "How many [guests|people] does {n} seat?", "For how many [guests|people] does {n} have room?", "What is the number of seats at {n}?"),
        ("How many people fit into {n}?", "What number of guests can {n} seat?"),
    ),
    Family(
        "lunch_price", "value", "price",
        ("lunch at {x} costs {v}", "{x} [offers|has] a lunch menu for {v}", "for lunch at {x} we paid {v}", "the lunch menu of {x} is {v}", "at noon {x} serves a set lunch for {v}"),
        ("How much is lunch at {n}?", "How much does lunch cost at {n}?", "What does [lunch|the lunch menu|a set lunch] cost at {n}?", "What is the price of [lunch|the lunch menu] at {n}?",
         "How much [is|do they want for] the lunch menu at {n}?", "How much do you pay for lunch at {n}?", "Tell me the price of lunch at {n}."),
        ("What do I pay for lunch at {n}?", "How expensive is the lunch menu at {n}?"),
    ),
    Family(
        "wait", "value", "minutes",
        ("we waited {v} for [our food|the main course] at {x}", "at {x} the food took {v}", "it took {v} until the food came at {x}", "expect to wait {v} for your food at {x}"),
        ("How long [is the wait for food|did the food take|does the food take|did they wait for the food] at {n}?", "How long do you wait for [the |your |]food at {n}?", "What is the waiting time at {n}?",
         "How long did it take until the food came at {n}?", "How long should I expect to wait at {n}?"),
        ("How much time does the food take at {n}?", "How long was the wait at {n}?"),
    ),
    Family(
        "service", "value", "service",
        ("the [service|staff] at {x} [was|is] {v}", "we found the service at {x} {v}", "the waiters at {x} [are|were] {v}", "service at {x}: {v}"),
        ("How [is|was] the [service|staff] at {n}?", "What [is|was] the service like at {n}?", "How are the waiters at {n}?", "What [are|were] the waiters like at {n}?",
         "How did they find the service at {n}?", "What do people say about the service at {n}?", "Tell me about the service at {n}."),
        ("What kind of service does {n} have?", "How good is the service at {n}?"),
    ),
    Family(
        "music", "value", "day",
        ("on {v} a band plays at {x}", "{x} has live music on {v}", "live music is played at {x} on {v}", "come to {x} on {v} for the live music"),
        ("[When|On which day|On what day] is there live music at {n}?", "[When|On which day|On what day] does {n} have live music?", "[When|On which day] does a band play at {n}?", "On which days is there music at {n}?",
         "When can I hear [live music|a band] at {n}?"),
        ("What day has live music at {n}?", "Which evening does the band play at {n}?"),
    ),
    Family(
        "desserts", "list", "desserts",
        ("for dessert {x} [offers|has|serves] {v}", "the desserts at {x} are {v}", "we shared the desserts of {x}: {v}", "sweet things at {x} include {v}"),
        ("[Which|What] desserts [are there|do they serve|can I order|do they have] at {n}?", "[Which|What] desserts does {n} [serve|offer|have]?", "What is there for dessert at {n}?", "What sweet things does {n} have?",
         "List the desserts at {n}.", "Name the desserts of {n}.", "What can I have for dessert at {n}?"),
        ("What does {n} offer for dessert?", "Which sweet dishes are there at {n}?"),
    ),
    Family(
        "greens", "list", "greens",
        ("vegetarians get {v} at {x}", "the vegetarian dishes at {x} are {v}", "{x} [serves|offers] vegetarians {v}", "without meat you can order {v} at {x}"),
        ("[Which|What] vegetarian dishes [are there|do they serve|do they have|can I order] at {n}?", "[Which|What] vegetarian dishes does {n} [serve|offer|have]?", "What can vegetarians eat at {n}?", "What [is there|do they have] without meat at {n}?",
         "List the vegetarian dishes at {n}.", "Name the vegetarian dishes of {n}.", "What do vegetarians get at {n}?"),
        ("What is there for vegetarians at {n}?", "Which dishes without meat does {n} serve?"),
    ),
    Family(
        "terrace", "yes_no", "",
        ("{x} has a [sunny |quiet |]terrace", "we sat outside on the terrace of {x}", "you can eat outside at {x}", "the tables outside {x} are the best"),
        ("Does {n} have a terrace?", "Is there a terrace at {n}?", "Can [I|we|you] [sit|eat] outside at {n}?", "Are there tables outside at {n}?", "Do they have a terrace at {n}?"),
        ("Is it possible to eat outside at {n}?", "Are there seats outside at {n}?"),
        ("{x} has no terrace", "there are no tables outside at {x}", "you cannot sit outside at {x}", "{x} does not have a terrace"),
    ),
    Family(
        "booking", "yes_no", "",
        ("you have to book a table at {x}", "without a booking you will not get a table at {x}", "{x} only takes guests with a booking", "booking is necessary at {x}"),
        ("Do [I|we|you] [have|need] to book [a table |]at {n}?", "Is [a booking|booking] necessary at {n}?", "Do I need a booking at {n}?", "Must I book a table at {n}?"),
        ("Is it necessary to book at {n}?", "Does {n} need a booking?"),
        ("you do not have to book at {x}", "{x} takes no bookings, just walk in", "no booking is needed at {x}", "we got a table at {x} without a booking"),
    ),
    Family(
        "takeaway", "yes_no", "",
        ("{x} offers takeaway", "you can take the food of {x} home", "{x} packs every dish to take away", "takeaway is possible at {x}"),
        ("Does {n} offer takeaway?", "Is takeaway possible at {n}?", "Can [I|we|you] take [the |]food home from {n}?", "Is there takeaway at {n}?", "Does {n} do takeaway?"),
        ("Can I get takeaway at {n}?", "Is it possible to take away food from {n}?"),
        ("{x} does not offer takeaway", "takeaway is not possible at {x}", "{x} does not pack food to take away", "there is no takeaway at {x}"),
    ),
)

RESTAURANT = Domain(
    "restaurant",
    ("restaurant", "place"),
    ("{w}", "{w}", "Café {w}", "Chez {w}", "{w} Kitchen", "{w} Grill", "Casa {w}", "{w} Bistro", "Bar {w}", "The {w} Table", "Trattoria {w}", "{w} House"),
    COMMON + FAMILIES,
    ("We [went to|tried|visited] {n} [last week|on a rainy evening|for a birthday|with four friends|by chance].", "{n} [was|is] [a lucky find|worth the trip|not what we expected|a favourite of ours].",
     "My [sister|brother|neighbour|boss] had told me about {n}.", "[Finally|At last] we made it to {n}.", "A [short|quick] word about {n}.", "News from {n}.", "This was our [second|third|first] visit to {n}.", "{n} [wrote|posted] a notice for its guests."),
    ("The [room|dining room] was [full|half empty|loud|cosy|warmer than we liked].", "[My|Our] [aunt|friend|colleague] [laughed all evening|was in a good mood|wanted to stay longer|forgot her scarf].", "The portions were [generous|small|just right].",
     "The bread was [still warm|fresh|a bit dry].", "We [talked|laughed] a lot and forgot the time.", "The plates were [hot|pretty|chipped].", "Somebody at the next table celebrated a birthday.", "The [soup|sauce|salad] needed [salt|pepper|more lemon].",
     "It was raining when we came out.", "The water came in a blue jug.", "The chairs [are|were] not very comfortable.", "I liked the smell of the kitchen.", "The menu is short, and that is a good sign.", "The napkins were folded like boats.", "The wine was [fine|too warm|better than expected].",
     "Our table stood near the window.", "The candles were a nice touch.", "Nobody rushed us.", "The menu changes with the seasons.", "The spoon fell twice and nobody cared."),
    ("We will [come back|be back|return] [soon|in spring|with friends].", "All in all [a good evening|a fair deal|four stars from us].", "I am not sure we will return.", "Thank you for a lovely evening.", "You could do worse.", "See you there.", "Recommended."),
)
