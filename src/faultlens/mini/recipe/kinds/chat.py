"""Chat and social-media messages: emoji, hashtags, handles, short forms, stretched words, shouts.

A shape is a small function; its text is filled by `_fill`, in which "{x}" stands for a random
choice from the bank x, "{a|b}" for one of the sides and "{#2-9}" for a number in that range.
"""

from __future__ import annotations

import random

from faultlens.mini.recipe.kinds.slots import fill_slots

WORDS: dict[str, str] = {
    "laugh": "lol|lmao|haha|hahaha|rofl|hehe|😂|🤣|😂😂|ahahah",
    "wow": "omg|wow|yikes|whoa|no way|wait what|bruh|dude|ok but|yooo|ngl|tbh",
    "happy": "😀|😊|🎉|😍|❤️|🥰|✨|🙌|🔥|💪|☀️|🌈",
    "sad": "😢|😭|💔|😩|🥲|😞|🙃",
    "mad": "😡|🙄|😤|🤬|👎",
    "face": "{happy}|{sad}|{mad}|🤔|👀|😅|🫠",
    "thing": "pizza|this song|my new phone|that game|the bus|my hair|the new show|this cat|"
    "my laptop|the wifi|the exam|coffee|the match|homework|my dog|the last episode|the concert",
    "do": "watch the game|get some food|go to the beach|play online|see a movie|study for the test|"
    "order pizza|go for a run|try the new cafe|bake a cake|clean my room",
    "doing": "watching tv|making dinner|at the gym|stuck in traffic|still in bed|at work|"
    "on the train|eating noodles|in class|walking the dog|playing games",
    "good": "so good|amazing|the best|lit|perfect|so cute|soooo nice|goals|a vibe|insane",
    "bad": "so bad|the worst|trash|broken again|so slow|a mess|way too long|soooo boring",
    "when": "tonight|tmrw|this weekend|rn|after school|at {#2-11}pm|in {#5-50} mins|on friday|l8r",
    "bye": "brb|gtg|ttyl|cya|gn|bye bye|talk soon|xoxo|later",
    "sure": "yep|yeah|sure|ok|kk|yesss|for sure|ofc|bet|deal|sounds good",
    "nope": "nah|nope|can't sorry|noooo|not today|idk|maybe|not rly",
    "u": "u|you",
    "who": "guys|everyone|fam|friends|bro|girl|bestie|team|all",
    "color": "blue|red|happy|tiny|sleepy|lazy|wild|sunny|night|super",
    "pal": "fox|cat|panda|bear|tiger|star|gamer|baker|runner|moon|potato|bird",
    "handle": "@{color}{pal}|@{color}_{pal}|@{pal}{#1-99}|@the_{pal}|@{color}.{pal}{#1-99}",
    "tag": "#love|#monday|#foodie|#nofilter|#tbt|#gaming|#fail|#{color}{pal}|#weekend|#travel|"
    "#music|#winning|#catsofinstagram|#goals|#summer|#rain|#throwback|#mood|#blessed",
    "place": "the beach|the park|home|the gym|the mall|school|the airport|the office|the lake",
    "feel": "tired|happy|hungry|bored|excited|sick|lucky|confused|proud|cold|sleepy",
    "team": "the {Color} {Pal}s",
    "Color": "Blue|Red|Green|Black|Golden",
    "Pal": "Bear|Tiger|Star|Hawk|Wolf|Lion",
    "reason": "my mom said no|i have work|it's raining|i'm broke|i forgot|my phone died|i overslept|"
    "the bus never came|i have a test {when}",
}


def _fill(rng: random.Random, text: str) -> str:
    return fill_slots(rng, text, WORDS)


def _stretch(rng: random.Random, word: str) -> str:
    """The word with one of its vowels, or its last letter, drawn out."""
    spots = [i for i, letter in enumerate(word) if letter in "aeiouy"] or [len(word) - 1]
    spot = rng.choice(spots)
    return word[:spot] + word[spot] * rng.randint(3, 7) + word[spot + 1 :]


def _tags(rng: random.Random, low: int = 2, high: int = 5) -> str:
    return _fill(rng, " ".join(["{tag}"] * rng.randint(low, high)))


def _post(rng: random.Random) -> str:
    text = "{|just }{doing} and feeling {feel} {face} {thing} is {{good}|{bad}} {{laugh}|{wow}|}"
    return _fill(rng, text).strip() + " " + _tags(rng)


def _shout(rng: random.Random) -> str:
    text = "{wow} {thing} is {good}. i need to {do} {when}. who is with me"
    alt = "why is {thing} {bad}?? i am so {feel}. somebody help me please"
    third = "stop. {wow}. i just saw {handle} at {place}. i can't even. best day ever"
    line = _fill(rng, rng.choice((text, alt, third))).upper()
    return line + rng.choice(("!!!", "!!!!!!", "???", "!?!?", "!!1!")) + _fill(rng, " {face}{face}")


def _stretched(rng: random.Random) -> str:
    one = _stretch(rng, rng.choice(("hello", "hey", "no", "yes", "please", "why", "stop", "help")))
    two = _stretch(rng, rng.choice(("so", "very", "really", "super", "way too", "just")))
    three = _stretch(rng, rng.choice(("love", "hate", "need", "want", "miss", "like")))
    return _fill(
        rng,
        rng.choice(
            (
                f"{one} {{wow}} i am {two} {{feel}} {{face}} i {three} {{thing}} {{laugh}}",
                f"i {three} {{thing}} {two} much {{happy}} {one} can we {{do}} {{when}}?",
                f"{{handle}} {one} {{thing}} is {two} {{feel}} today {{face}} i {three} {{u}} {{who}}",
            )
        ),
    )


def _row(rng: random.Random) -> str:
    lines = rng.sample(
        [
            "hey",
            "hey {u} there?",
            "r {u} up",
            "{wow}",
            "guess what",
            "i'm {doing}",
            "{face}{face}",
            "call me {when}",
            "pls answer",
            "{thing} is {bad}",
            "also {thing} is {good}",
            "hellooo",
            "nvm",
            "wanna {do}?",
            "ok {bye}",
            "i'm so {feel}",
            "??",
            "{laugh}",
            "did {u} {do}?",
            "where r {u}",
            "be there in {#2-30}",
        ],
        rng.randint(5, 9),
    )
    return "\n".join(_fill(rng, line) for line in lines)


def _thread(rng: random.Random) -> str:
    one, two = _fill(rng, "{handle}"), _fill(rng, "{handle}")
    ask = "{who} wanna {do} {when}?|anyone want to {do} {when}?|can we {do}? i'm {feel}"
    turns = [
        ask.split("|")[rng.randrange(3)],
        rng.choice(("{sure} {happy}", "{nope} {reason} {sad}")),
        "{laugh} ok {when} then",
        "{sure}. see {u} at {place}",
        "{bye} {face}",
    ]
    lines = [f"{one if i % 2 == 0 else two}: {t}" for i, t in enumerate(turns[: rng.randint(3, 5)])]
    return _fill(rng, "\n".join(lines))


def _group(rng: random.Random) -> str:
    stamp, minute = rng.randint(1, 12), rng.randint(10, 40)
    lines = []
    for i in range(rng.randint(3, 5)):
        text = rng.choice(
            (
                "who can {do} {when}?",
                "{sure} me",
                "{nope} {reason}",
                "{laugh} same",
                "i'm {doing}",
                "{face}",
                "is {thing} {good} or {bad}?",
                "{wow} {handle}",
            )
        )
        lines.append(_fill(rng, f"[{stamp}:{minute + i}] {{color}}{{pal}}: {text}"))
    return "\n".join(lines)


def _reply(rng: random.Random) -> str:
    return _fill(
        rng,
        "{handle} {wow} i think {thing} is {good}, {but|imo|and honestly} {thing} is "
        "{bad} {face} {handle} what do {u} think? {lol|jk|smh|imho|fr fr}",
    )


def _retweet(rng: random.Random) -> str:
    return _fill(
        rng,
        "RT {handle}: {who}, {thing} is {good} {happy} {like|share|follow} if {u} "
        "agree! {#2-900}k likes, {#2-90} comments. link in bio 👉 ",
    ) + _tags(rng, 1, 3)


def _excuse(rng: random.Random) -> str:
    return _fill(
        rng,
        "{sorry|soz|so sorry|sryyy} {who} i can't {do} {when}, {reason} {sad} "
        "{maybe|how about|what about} {when}? {pls|plz|pretty please} don't be mad {face} "
        "{bye}",
    )


def _birthday(rng: random.Random) -> str:
    return _fill(
        rng,
        "{HAPPY BIRTHDAY|happy bday|hbd} {handle}!!! 🎂🎈 {u} are {good} and i "
        "love {u} {soo|sooooo|so so} much {happy}{happy} let's {do} {when}! {tag} {tag}",
    )


def _poll(rng: random.Random) -> str:
    return _fill(
        rng,
        "{quick poll|poll time|help me choose|vote pls}: what should i do {when}?\n"
        "1️⃣ {do}\n2️⃣ {do}\n3️⃣ {sleep|nothing lol|cry|eat}\n"
        "{comment below|drop a {happy} if u agree|tell me {who}} 👇",
    )


def _score(rng: random.Random) -> str:
    return _fill(
        rng,
        "{GOAL|GOAAAL|YESSS|GET IN|NOOOO}!!! {team} {#0-5} - {#0-5} {team} {face} "
        "{what a game|ref is blind|i can't watch|best match ever|we are sooo back} "
        "{laugh} {handle} are {u} seeing this?? ",
    ) + _tags(rng, 1, 2)


def _food(rng: random.Random) -> str:
    return _fill(
        rng,
        "{made|had|tried|ordered} {pancakes 🥞|sushi 🍣|tacos 🌮|ramen 🍜|cookies} "
        "{at {place}|for lunch|with {handle}|for the 1st time} and {wow} it was "
        "{good}!! {#5-10}/10 {eat again|need more|no notes|yum yum} 😋 ",
    ) + _tags(rng)


def _photo(rng: random.Random) -> str:
    return _fill(
        rng,
        "📍 {place} {happy}\n{sunset|me and {handle}|my view|me {doing}} "
        "{today|rn|last night}. {feeling|so} {feel} {face}\n📸 by {handle}\n"
        "{tag} {tag} {tag}",
    )


def _rant(rng: random.Random) -> str:
    return _fill(
        rng,
        "{ok rant time|unpopular opinion|hot take|am i the only one or|pls explain}: "
        "{thing} is {bad} {mad} i waited {#2-9} hours and {they said no|nothing works|it "
        "crashed|NOBODY CAME}. {never again|i'm DONE|i can't|smh}. {face} {tag} {handle}",
    )


def _game(rng: random.Random) -> str:
    return _fill(
        rng,
        "{gg|ggwp|ez|so close|afk 5 min} {who}! lvl {#2-99}, {#1-40} kills {laugh} "
        "{need one more for the team|who has a mic|lag is {bad}|add me {handle}} {face} "
        "{1 more round?|rematch {when}?|{bye}, dinner|join my lobby {when}}",
    )


def _dm(rng: random.Random) -> str:
    return _fill(
        rng,
        "{hey|heyyy|hiii|yo|sup} {who} {happy} {hru|how r {u}|wyd|what's up}? i'm "
        "{doing} & {feel} {face}. {btw|fyi|also|oh and} {thing} is {good}, {lmk|let me "
        "know|text me} if {u} wanna {do} {when}. {bye} {happy}",
    )


def _emoji(rng: random.Random) -> str:
    parts = [
        "{face}" * rng.randint(2, 5),
        "{laugh} {laugh}",
        "me {when}: {face}",
        "{wow} {face}",
        "{thing} = {happy}{happy}",
        "{u} rn: {face}{face}",
        "mood: {feel} {face}",
        "+{#1-99} 💯",
    ]
    return _fill(rng, "  ".join(rng.sample(parts, rng.randint(4, 7))))


SHAPES = (
    _post,
    _shout,
    _stretched,
    _row,
    _thread,
    _group,
    _reply,
    _retweet,
    _excuse,
    _birthday,
    _poll,
    _score,
    _food,
    _photo,
    _rant,
    _game,
    _dm,
    _emoji,
)


def chat(rng: random.Random) -> str:
    """One message, or a few in a row."""
    text = rng.choice(SHAPES)(rng).strip()
    while len(text) < 60:
        text += "\n" + rng.choice(SHAPES)(rng).strip()
    return text
