"""Word lists for :mod:`training.recipes.reader_questions`: function words, auxiliaries, verbs, and words that mean the same."""

import re

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
NUMBER = (
    r"\d[\d,]*(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one-third|two-thirds|half"
)
ACRONYM = re.compile(r"[A-Z]\.?")
UNITS = frozenset("years months weeks days hours minutes decades centuries".split())
TITLES = frozenset(
    "mr. mrs. ms. dr. sir lord lady king queen president emperor general pope senator governor captain".split()
)
PRONOUNS = frozenset(
    "he she it they this that these those his her its their there such some others another we you i both".split()
)
AUXILIARIES = frozenset(
    "is are was were has have had can could will would may might must should did does do cannot".split()
)
PREPOSITIONS = frozenset(
    "in on at by from to with for of into through during under between against after before about as over".split()
)
FUNCTION_WORDS = (
    AUXILIARIES
    | PREPOSITIONS
    | PRONOUNS
    | frozenset(
        "the a an and or but nor so yet if then than that which who whom whose when where while because although though however "
        "also not no only even just more most less least very much many few several each every either neither all any other own same "
        "him them us me my your our be been being up down out off again once here how what why too within without among across along "
        "around behind beyond near since until upon toward towards per like unlike despite instead rather became become began made "
        "make came went took gave found used known called one two first second new old great still often never always later earlier "
        "according including because due led held set kept left put brought saw got let meant seemed felt thought".split()
    )
)
FIRST_NAMES = frozenset(
    "Abigail Abraham Adam Adolf Albert Alexander Alfred Alice Andrew Anna Anne Anthony Antonio Arthur Barack Benjamin Benito Bernard Bill "
    "Carl Caesar Catherine Charles Charlotte Christopher Clara Daniel David Donald Dorothy Douglas Dwight Edmund Edward Edwin Eleanor "
    "Elizabeth Ella Emile Emily Emma Emmanuel Ernest Eugene Ferdinand Frances Francis Francisco Frank Franklin Frederick Friedrich Galileo Georg "
    "George Gerald Giovanni Grace Grover Hannah Harold Harriet Harry Helen Henry Herbert Herman Hernán Hillary Horace Hugh Ida Isaac Isabella "
    "Jack Jacob James Jane Jean Jefferson Jerry Jesse Jimmy Joan Johann Johannes John Johnny Jonathan José Joseph Juan Julia Julius "
    "Karl Katherine Kofi Leo Leon Leonardo Lewis Lincoln Louis Lucy Lyndon Malcolm Mao Marco Margaret Maria Marie Mark Martin Mary "
    "Matthew Max Michael Michel Miguel Mohandas Nancy Napoleon Nathaniel Nelson Niccolò Nicholas Oliver Oscar Otto Patrick Paul Percival Peter Philip Pierre "
    "Rachel Ralph Richard Robert Roger Ronald Rosa Rosalind Roy Rutherford Samuel Sarah Shirley Sigmund Simón Sofia Sojourner Stephen Steve Susan Talcott Ted Teresa "
    "Theodore Thomas Thurgood Tycho Ulysses Vasco Victor Vincent Virginia Vladimir Walt Walter Warren Wendell William Winston Woodrow Zora".split()
)
BASE_FORMS = dict(
    pair.split(":")
    for pair in (
        "became:become began:begin took:take gave:give made:make came:come went:go found:find held:hold led:lead left:leave won:win lost:lose "
        "wrote:write grew:grow rose:rise fell:fall fought:fight brought:bring built:build sent:send saw:see said:say told:tell knew:know "
        "kept:keep put:put set:set met:meet paid:pay ran:run spent:spend stood:stand thought:think chose:choose drew:draw drove:drive "
        "broke:break bought:buy caught:catch sold:sell sought:seek taught:teach wore:wear felt:feel got:get meant:mean spoke:speak "
        "died:die used:use moved:move created:create produced:produce introduced:introduce established:establish believed:believe "
        "served:serve received:receive caused:cause included:include required:require continued:continue published:publish argued:argue "
        "declared:declare forced:force named:name ruled:rule proposed:propose described:describe divided:divide arrived:arrive "
        "signed:sign passed:pass captured:capture increased:increase replaced:replace invaded:invade changed:change"
    ).split()
)
SYNONYMS = {
    word: tuple(others.split("|"))
    for word, _, others in (
        entry.partition(":")
        for entry in (
            "began:started start:begin started:began founded:established|started established:founded|created|set_up created:made|formed made:created|produced "
            "large:big|huge big:large important:significant|major significant:important major:main|important main:primary|chief primary:main "
            "located:situated|found situated:located called:named|known_as|termed named:called known:called|famous used:employed|utilized "
            "many:numerous|a_lot_of numerous:many several:some|multiple about:around|roughly|approximately approximately:about|roughly "
            "near:close_to|by built:constructed|made constructed:built wrote:authored|penned said:stated|claimed stated:said "
            "helped:aided|assisted help:aid|assist people:individuals|persons individuals:people began:started killed:murdered died:passed_away "
            "won:gained|took gained:got|won increased:grew|rose rose:increased grew:increased decreased:fell|declined fell:dropped|declined "
            "country:nation|state nation:country|state city:town|urban_area area:region|zone region:area war:conflict conflict:war "
            "leader:head|ruler ruler:leader|monarch government:state|administration law:act|rule goal:aim|purpose purpose:aim|goal "
            "show:reveal|demonstrate showed:revealed|demonstrated includes:contains|has include:contain|have contains:includes|holds "
            "produced:made|created developed:created|made introduced:brought_in discovered:found became:turned_into quickly:rapidly|fast "
            "often:frequently|commonly usually:typically|generally generally:usually typically:usually also: however: only:just|solely "
            "difficult:hard hard:difficult new:novel|recent old:ancient|former early:initial first:earliest|initial largest:biggest biggest:largest "
            "money:funds|cash cost:price|expense land:territory|ground territory:land|area army:military|troops troops:soldiers|forces soldiers:troops "
            "business:company|firm company:firm|business children:kids|youths women:females men:males caused:led_to|resulted_in|brought_about "
            "allowed:let|permitted|enabled allows:lets|enables|permits required:needed|demanded needed:required wanted:desired|wished "
            "believed:thought|held thought:believed argued:claimed|said gave:provided|granted provided:gave|supplied provides:gives|offers "
            "ended:stopped|finished stopped:ended lived:resided living:residing moved:relocated|migrated between:among during:in|throughout "
            "after:following before:prior_to because:since opposed:against|fought supported:backed|favored defeated:beat attacked:assaulted "
            "century:100_years power:authority|control control:power|command group:set|body type:kind|sort kind:type form:type|kind"
        ).split()
    )
    if others
}
SYNONYMS = {word: tuple(option.replace("_", " ") for option in options) for word, options in SYNONYMS.items()}
