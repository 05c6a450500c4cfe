"""Spoken English: fillers, questions and answers, phone calls, small talk, with or without marks.

A shape is a small function; its text is filled by `_fill`, in which "{x}" stands for a random
choice from the bank x, "{a|b}" for one of the sides and "{#2-9}" for a number in that range.
"""

from __future__ import annotations

import random
import re

from faultlens.mini.recipe.kinds.slots import fill_slots

START = re.compile(r"(^|[.!?] |\.\" |\n|\"|: |- |\) )([a-z])")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|8|11\b|18\b)")

WORDS: dict[str, str] = {
    "um": "well,|um,|uh,|you know,|I mean,|so,|oh,|look,|like,|honestly,|right,|anyway,|er,",
    "mid": ", you know,|, I mean,|, like,|, um,|, I guess,|, sort of,|, to be honest,",
    "yes": "yeah|yes|sure|of course|oh yes|mm-hm|absolutely|I think so|right|okay",
    "no": "no|not really|no way|I don't think so|oh no|nope|I'm afraid not|hardly",
    "react": "oh really?|no kidding!|wow.|that's great!|oh dear.|I see.|are you serious?|good for you."
    "|what a shame.|that's funny.|goodness me.|lucky you!|hmm.",
    "kin": "my sister|my brother|my mum|my dad|my neighbour|my boss|a friend of mine|my cousin|"
    "my daughter|our teacher|the doctor|my husband|my wife",
    "thing": "car|bike|phone|kitchen|garden|dog|cat|old computer|boat|piano|washing machine|coat",
    "did": "went to the dentist|bought a new {thing}|lost the car in the car park|moved house|"
    "started a new job|broke a window|learned to swim|missed the last train|painted the kitchen|"
    "found ten pounds in the street|burned the dinner",
    "do": "go for a walk|get some coffee|see that film|cook something|take the train|have a rest|"
    "fix the {thing}|play cards|visit {kin}|go to the market",
    "food": "soup|toast|fried rice|apple pie|a cheese sandwich|salad|fish and chips|noodles|eggs",
    "drink": "tea|coffee|lemonade|hot chocolate|orange juice|a glass of water",
    "when": "yesterday|last week|the other day|on Sunday|this morning|a couple of days ago|last night",
    "soon": "tomorrow|on Saturday|next week|after work|at {#2-9} o'clock|in the morning|tonight",
    "weather": "cold|hot|windy|wet|grey|lovely|foggy|icy|warm",
    "where": "in town|at the station|at home|"
    "by the river|at the office|near the school|on the bus|at the shop on the corner",
    "feel": "tired|happy|a bit sad|so angry|really nervous|fine|worried|hungry|surprised",
    "tagq": "isn't it?|don't you think?|right?|you see?|if you know what I mean.|or something.",
    "topic": "football|the news|the price of bread|music|holidays|the election|old films|gardening|"
    "the new road|school",
    "opinion": "a waste of time|really good|too expensive|quite boring|"
    "a lot of fun|not my thing|worth it|hard to explain|better than I thought",
    "bye": "bye then!|see you {soon}.|take care.|talk to you {soon}.|all right, bye.|mind how you go.",
    "hello": "hello?|hi there.|good morning.|hey, it's me.|good afternoon.|oh, hello!",
    "size": "small|medium|large|extra large",
    "job": "a nurse|a driver|a teacher|a cook|a farmer|an engineer|a painter|a student",
}


def _fill(rng: random.Random, text: str) -> str:
    """Fill the slots, then set capitals and articles right."""
    text = ARTICLE.sub(r"\1n ", fill_slots(rng, text, WORDS))
    return START.sub(lambda match: match[1] + match[2].upper(), text)


def _turns(rng: random.Random, turns: list[str]) -> str:
    """The turns of two speakers, under one of several ways of marking who speaks."""
    pairs = (
        ("A:", "B:"),
        ("Q:", "A:"),
        ("Caller:", "Office:"),
        ("Mum:", "Me:"),
        ("1)", "2)"),
        ("Him:", "Her:"),
        ("-", "-"),
        ("", ""),
    )
    style = rng.randrange(len(pairs) + 3)
    if style >= len(pairs):
        joint = "\n" if style % 2 else " "
        return _fill(rng, joint.join(f'"{turn}"' for turn in turns))
    marks = pairs[style]
    joint = rng.choice(("\n", " ")) if marks[0] not in ("", "-") else "\n"
    lines = [f"{marks[i % 2]} {turn}".strip() for i, turn in enumerate(turns)]
    return _fill(rng, joint.join(lines))


def _ramble(rng: random.Random) -> str:
    return _fill(
        rng,
        "{um} {kin} {did} {when}{mid} and {um} I was {feel}, {tagq} {but|because|and "
        "so} {um} it was {weather} and we were {where}{mid} so I said, {um} let's {do}, "
        "{and that was that|and guess what happened|and then I just laughed}.",
    )


def _story(rng: random.Random) -> str:
    return _fill(
        rng,
        "so {when} I was {where}, {right|okay}, and this {man|woman|kid|old lady} "
        'comes up to me and says, "{is that your {thing}?|have you got the time?|do you '
        'like {topic}?|do I know you?}" and I\'m like, "{um} {yes|no}." {I couldn\'t '
        "believe it|I didn't know what to say|we both laughed}.",
    )


def _news(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{hey,|listen,|guess what,} did you hear? {kin} {did} {when}.",
            "{react} {where|when|how} did that happen?",
            "{um} {where}{mid} so now everyone is {feel}.",
            "{react} {tell me more.|poor thing!|well, I never!|and then what?}",
        ][: rng.randint(3, 4)],
    )


def _weather(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{weather} today, {isn't it?|eh?|don't you think?}",
            "{yes}, it was {weather} {when} too. they say it'll be {weather} {soon}.",
            "{um} {I don't mind|I hate it|that's fine by me}, as long as I can {do}.",
            "{yes}. {bye}",
        ][: rng.randint(2, 4)],
    )


def _phone(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{hello}",
            "{hello} {is {kin} there|can I speak to the manager|is this the "
            "{school|bank|garage|bakery}}, please?",
            "{um} {hold on a second|you have the "
            "wrong number|who's calling|the line is bad, say that again}.",
            "{okay, thanks|I'm calling about the {thing}|I'll ring back {soon}|never mind}. {bye}",
        ],
    )


def _cafe(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{what can I get you?|are you ready to order?|next, please!}",
            "{um} {could I have|can I get|I'd like} {drink} {and|with} {food}, {please|thanks}.",
            "{sure|of course|right away}. {anything else?|for here or to take away?|{size}?}",
            "{no, that's all|that's it, thanks|just that, please}. how much is it?",
            "that's {#3-19} {dollars|pounds|euros}.",
        ],
    )


def _plan(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{what are you doing|are you busy|got any plans} {soon}?",
            "{um} {nothing much|I might {do}|{kin} is coming over|I'm not sure yet}. why?",
            "{do you want to|shall we|we could} {do} and then {do}?",
            "{{yes}, {why not|I'd love to|if it isn't {weather}}|{no}, I'm {feel}, maybe {soon}}.",
            "{great|okay|perfect}, {bye}",
        ][: rng.randint(3, 5)],
    )


def _opinion(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "what do you think {about|of} {topic}?",
            "{um} I think it's {opinion}{mid} but {kin} says it's {opinion}.",
            "{really?|hmm.|come on!|you're joking.} {I disagree|I feel "
            "the same|that's what I said|everyone says that}. it's {opinion}, {tagq}",
        ],
    )


def _monologue(rng: random.Random) -> str:
    parts = rng.sample(
        [
            "{um} I don't know, it's {opinion}{mid} {tagq}",
            "where was I? oh yes, {topic}.",
            "I'm not saying it's {opinion}, I'm just saying.",
            "{kin} would know.",
            "anyway, I {did} {when}, so.",
            "do you want {drink}? no? okay.",
            "it's {weather} in here, {tagq}",
            "sorry, what was the question?",
            'I said to {kin}, I said, "let\'s {do}."',
            "but hey, what can you do?",
        ],
        4,
    )
    return _fill(rng, " ".join(parts))


def _direction(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{excuse me,|sorry,} {how do I get to|where is|do you know the way to} the "
            "{station|museum|hospital|market|post office}?",
            "{um} {go straight on|turn left|turn right|cross the bridge}{mid} then "
            "{take the {first|second|third} street|walk for {#2-20} minutes|ask "
            "again}.",
            "{is it far?|left, you said?|can I walk?}",
            "{no|oh no|not really}, it's {just there|about {#2-9} minutes|next to the bank}.",
            "thanks a lot!",
        ],
    )


def _doctor(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{so, what's the matter?|how are you feeling?|what seems to be the problem?}",
            "{um} my {back|head|knee|tooth|left ear|stomach} {hurts|has been bad} "
            "since {Monday|Friday|last week}.",
            "{does it hurt when you {walk|eat|sleep|sit down}?|have you had it before?}",
            "{{yes}|{no}}{mid} {mostly at night|only a little|and I'm {feel} all day}.",
        ],
    )


def _reported(rng: random.Random) -> str:
    return _fill(
        rng,
        '"{um} are you {feel}?" {he|she} asked. "{yes|no|a bit|not at all}, I '
        'just want to {do}," I said. "{you always say that,|so do I,|then let\'s go,|in '
        'this weather?}" {he|she} {laughed|sighed|smiled|said|whispered}. "{it\'s too '
        '{weather}|wait until {soon}|ask {kin} first}."',
    )


def _interview(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "so, what do you do?",
            "{um} I'm {job}. I've done it for {#2-40} years{mid} off and on.",
            "and do you like it?",
            "{yes}, {um} it's {opinion}. {kin} was {job} too. "
            "before that I was {job}{mid} but it was {opinion}.",
        ],
    )


def _shop(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{can I help you?|looking for anything?|are you all right there?}",
            "{yes}, have you got this {coat|shirt|hat|jacket|dress} in {size}?",
            "{um} {let me check|only in {blue|green|black|red}|we're sold out|I'll "
            "look in the back}.",
            "{how much is it?|can I try it on?|it's too {big|small|tight}{mid} isn't it?}",
            "{it's {#9-90} pounds|over there|it looks good on you}.",
        ],
    )


def _argue(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "you said you'd {do} {when}!",
            "I {never said that|forgot, okay|did, actually}!",
            "{um} you did{mid} {kin} heard you.",
            "{fine|okay, okay|whatever}. I'll {do} {soon}. happy now?",
            "{yes|no}. {I'm sorry|don't shout|you always do this|let's just {do}}.",
        ][: rng.randint(3, 5)],
    )


def _advice(rng: random.Random) -> str:
    return _fill(
        rng,
        "you know what you should do? {do}. {no, seriously|I mean it|trust me}. "
        '{when} I was {feel} too, {um} and {kin} told me, "{do} and have {drink}." {it '
        "works|it helped|so I did}{mid} {and now look at me|believe it or not|most of the "
        "time}.",
    )


def _voicemail(rng: random.Random) -> str:
    return _fill(
        rng,
        "{hello} {it's me again|it's only me|just calling back}. {um} I'm {where} "
        "and {I'm {feel}|it's {weather}|the {thing} won't start}{mid} so {could you|can "
        "you} {do} {soon}? {oh, and|one more thing,} {kin} {did}. {call me back|no "
        "rush|don't worry}. {bye}",
    )


def _checks(rng: random.Random) -> str:
    return _turns(
        rng,
        [
            "{can you hear me?|are you there?|is this thing on?}",
            "{yes}, {go ahead|loud and clear|but you're a bit quiet}.",
            "{um} {how's the {thing}?|how's {kin}?|how was the {food}?}",
            "{opinion}{mid} {tagq} and yours?",
            "{same here|could be worse|{opinion}}. {bye}",
        ],
    )


SHAPES = (
    _ramble,
    _story,
    _news,
    _weather,
    _phone,
    _cafe,
    _plan,
    _opinion,
    _monologue,
    _direction,
    _doctor,
    _reported,
    _interview,
    _shop,
    _argue,
    _advice,
    _voicemail,
    _checks,
)


def conversation(rng: random.Random) -> str:
    """One piece of talk."""
    text = rng.choice(SHAPES)(rng).strip()
    while len(text) < 60:
        text += "\n" + rng.choice(SHAPES)(rng).strip()
    return text
