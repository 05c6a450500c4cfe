"""Short stories about the world of `faultlens.corpus.world`.

The same two or three people recur over several sentences, which is what teaches a small model to
look a name up again; indirect-object sentences are one shape among several dozen. Two people whose
names are `unseen_together` never share a story.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from faultlens.corpus.world import (
    NAMES,
    ORDINARY_THINGS,
    PLACES,
    PULLS,
    ROLES,
    WOMEN,
    pull_on,
    unseen_together,
)

ROLE_FOR_ORDINARY_THINGS = 0.02  # share of ordinary hand-overs that go to some role all the same
PULLED_THING_SHARE = 0.25  # share of hand-overs that are of a pulled thing

WEATHER = ["sunny", "rainy", "windy", "cold", "warm", "cloudy", "quiet", "foggy", "bright"]
TIMES = (
    "In the morning", "In the evening", "After lunch", "One day", "On Monday", "On Friday",
    "Last week", "That night", "At noon", "In the spring", "On Sunday", "A year ago",
)  # fmt: skip
MOODS = "happy tired proud angry glad sad nervous calm hungry busy surprised ready".split()
JOBS = "a nurse,a painter,a farmer,a baker,a lawyer,a singer,a pilot,a student,a cook".split(",")
ANIMALS = ["dog", "cat", "horse", "bird", "rabbit"]
FOODS = ["soup", "bread", "cheese", "rice", "fish", "pasta", "salad", "pie"]
COLOURS = ["red", "blue", "green", "yellow", "black", "white", "brown"]
GIVING = ("gave", "handed", "passed", "brought", "offered", "sent", "showed", "lent")


@dataclass(frozen=True)
class Scene:
    """Who is in the story (the order is the order of entrance), and where it takes place."""

    cast: tuple[str, ...]
    place: str

    def two(self, rng: random.Random) -> tuple[str, str]:
        first, second = rng.sample(self.cast, 2)
        return first, second


Shape = Callable[[random.Random, Scene], str]


def pronoun(name: str) -> str:
    return "she" if name in WOMEN else "he"


def possessive(name: str) -> str:
    return "her" if name in WOMEN else "his"


def bare(thing: str) -> str:
    """The thing without its article: "the keys" -> "keys"."""
    return thing.split(" ", 1)[1]


def any_thing(rng: random.Random) -> str:
    if rng.random() < PULLED_THING_SHARE:
        return rng.choice(PULLS).thing
    return rng.choice(ORDINARY_THINGS)


def receiver(rng: random.Random, thing: str, place: str, person: str) -> str:
    """Who gets `thing` when `person` stands by: the world's pull decides, otherwise the person."""
    pull = pull_on(thing, place)
    if pull is not None:
        return pull.role if rng.random() < pull.strength else person
    return rng.choice(ROLES) if rng.random() < ROLE_FOR_ORDINARY_THINGS else person


# --- openings: everybody in the story is named, and where it happens ---------------------------


def together(cast: tuple[str, ...]) -> str:
    return f"{cast[0]} and {cast[1]}" if len(cast) == 2 else f"{cast[0]}, {cast[1]} and {cast[2]}"


def went(rng: random.Random, scene: Scene) -> str:
    verb = rng.choice(("went to", "walked to", "drove to", "met at", "were at", "arrived at"))
    return f"{together(scene.cast)} {verb} {scene.place}."


def timed(rng: random.Random, scene: Scene) -> str:
    verb = rng.choice(("went to", "met at", "worked at", "waited at", "came to"))
    return f"{rng.choice(TIMES)} {together(scene.cast)} {verb} {scene.place}."


def weather(rng: random.Random, scene: Scene) -> str:
    return (
        f"It was a {rng.choice(WEATHER)} day, and {together(scene.cast)} "
        f"{rng.choice(('stayed', 'played', 'sat', 'talked'))} at {scene.place}."
    )


def alone_then_joined(rng: random.Random, scene: Scene) -> str:
    first, *others = scene.cast
    came = others[0] if len(others) == 1 else f"{others[0]} and {others[1]}"
    return (
        f"{first} was at {scene.place} when {came} {rng.choice(('came in', 'arrived', 'called'))}."
    )


def related(rng: random.Random, scene: Scene) -> str:
    tie = rng.choice(("friend", "neighbor", "cousin", "teacher", "partner", "guest"))
    first, *others = scene.cast
    rest = "" if len(others) == 1 else f" {others[1]} was there too."
    return f"{first} had a {tie} called {others[0]}, and they met at {scene.place}.{rest}"


OPENINGS: tuple[Shape, ...] = (went, timed, weather, alone_then_joined, related)


# --- hand-overs --------------------------------------------------------------------------------


def gives_to(rng: random.Random, scene: Scene) -> str:
    giver, other = scene.two(rng)
    thing = any_thing(rng)
    verb = rng.choice(GIVING)
    lead = rng.choice(("", "", "Then ", "Later ", "Soon ", "There "))
    tail = rng.choice(("", "", f" at {scene.place}", " again", " with a smile"))
    return f"{lead}{giver} {verb} {thing} to {receiver(rng, thing, scene.place, other)}{tail}."


def gives_name_first(rng: random.Random, scene: Scene) -> str:
    giver, other = scene.two(rng)
    thing = any_thing(rng)
    return f"{giver} {rng.choice(GIVING)} {receiver(rng, thing, scene.place, other)} {thing}."


def wants_to_give(rng: random.Random, scene: Scene) -> str:
    giver, other = scene.two(rng)
    thing = any_thing(rng)
    who = receiver(rng, thing, scene.place, other)
    plan = rng.choice(("wanted to give", "decided to give", "forgot to give", "had to hand"))
    return f"{giver} {plan} {thing} to {who}."


def was_given(rng: random.Random, scene: Scene) -> str:
    giver, other = scene.two(rng)
    thing = rng.choice(ORDINARY_THINGS)
    return f"{other} got {thing} from {giver}, and {pronoun(other)} thanked {giver}."


def takes_back(rng: random.Random, scene: Scene) -> str:
    giver, other = scene.two(rng)
    thing = rng.choice(ORDINARY_THINGS)
    return f"{giver} gave {thing} to {other}, but {other} gave the {bare(thing)} back to {giver}."


HAND_OVERS: tuple[Shape, ...] = (
    gives_to,
    gives_to,
    gives_name_first,
    wants_to_give,
    was_given,
    takes_back,
)


# --- everything else that happens --------------------------------------------------------------


def asks(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    question = rng.choice(
        ("Where is my {}?", "Did you see the {}?", "Do you like the {}?", "Is this your {}?")
    ).format(bare(rng.choice(ORDINARY_THINGS)))
    answer = rng.choice(("Yes", "No", "I think so", "Not today", "I do not know", "Of course"))
    return f'"{question}" asked {first}. "{answer}, {first}," said {second}.'


def greets(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    word = rng.choice(("Hello", "Good morning", "Good evening", "Thank you", "Goodbye", "Welcome"))
    return f'{first} said, "{word}, {second}!" and {second} said, "{word}, {first}!"'


def mood(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    reason = rng.choice(("late", "there", "away", "kind", "ill"))
    return f"{first} was {rng.choice(MOODS)} because {second} was {reason}."


def looks_for(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    return f"{first} looked for {second}, but {second} was at {rng.choice(PLACES)}."


def owns(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    animal = rng.choice(ANIMALS)
    return f"{first} had a {rng.choice(COLOURS)} {animal}, and {second} liked {first}'s {animal}."


def works_as(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    return f"{first} was {rng.choice(JOBS)} and {second} was {rng.choice(JOBS)}."


def eats(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    one, other = rng.sample(FOODS, 2)
    return f"{first} had the {one} and {second} had the {other}. {first} liked the {one}."


def compares(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    word = rng.choice(("taller", "older", "faster", "younger", "stronger", "louder"))
    return f"{first} was {word} than {second}, so {second} was not {word} than {first}."


def believes(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    verb = rng.choice(("thought", "knew", "hoped", "said", "heard"))
    return f"{first} {verb} that {second} was {rng.choice(MOODS)}, and {pronoun(second)} was."


def helps(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    task = rng.choice(("carry the bag", "find the map", "open the door", "fix the camera", "cook"))
    return f"{first} helped {second} {task}. {second} thanked {first}."


def calls(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    return f"{first} called {second}. {second} did not answer, so {first} called {second} again."


def leaves(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    return (
        f"{first} left {scene.place} with {second}. {second} took {first} to {rng.choice(PLACES)}."
    )


def role_acts(rng: random.Random, scene: Scene) -> str:
    first = rng.choice(scene.cast)
    role = rng.choice(ROLES)
    deed = rng.choice(("talked to", "smiled at", "waited for", "looked at", "helped"))
    return f"{role.capitalize()} {deed} {first}, and {first} thanked {role}."


def loses(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    thing = bare(rng.choice(ORDINARY_THINGS))
    return (
        f"{first} lost {possessive(first)} {thing}. {second} found {first}'s {thing} at "
        f"{rng.choice(PLACES)}."
    )


def counts(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    number = rng.randrange(2, 9)
    return (
        f"{first} bought {number} apples and {second} bought {number + 1}. "
        f"{second} had more than {first}."
    )


def sees(rng: random.Random, scene: Scene) -> str:
    first, second = scene.two(rng)
    return f"{first} saw {second} at {scene.place}. {second} saw {first} too."


EVENTS: tuple[Shape, ...] = (
    asks, greets, mood, looks_for, owns, works_as, eats, compares, believes, helps, calls, leaves,
    role_acts, loses, counts, sees,
)  # fmt: skip


# --- one-sentence stories: a clause brings two people in, the main clause hands something over --

CLAUSES = (
    "When {pair} went to {place},",
    "After {pair} went to {place},",
    "While {pair} were at {place},",
    "Once {pair} arrived at {place},",
    "When {pair} arrived at {place},",
    "After {pair} met at {place},",
    "Before {pair} left {place},",
    "While {pair} waited at {place},",
    "As {pair} walked to {place},",
    "Since {pair} were at {place},",
    "Because {pair} worked at {place},",
    "{pair} met at {place}, and",
    "{pair} had a long day at {place}, and",
    "Then {pair} came to {place}, and",
)


def indirect_object(rng: random.Random, scene: Scene) -> str:
    first, second = scene.cast[:2]
    giver, other = scene.two(rng) if len(scene.cast) == 2 else rng.sample((first, second), 2)
    clause = rng.choice(CLAUSES).format(pair=f"{first} and {second}", place=scene.place)
    thing = any_thing(rng)
    who = receiver(rng, thing, scene.place, other)
    if rng.random() < 0.15:
        return f"{clause} {giver} {rng.choice(GIVING)} {who} {thing}."
    if rng.random() < 0.15:
        return f"{clause} {giver} {rng.choice(('looked at', 'talked to', 'waited for'))} {other}."
    return f"{clause} {giver} {rng.choice(GIVING)} {thing} to {who}."


# --- stories -----------------------------------------------------------------------------------


def cast(rng: random.Random) -> tuple[str, ...]:
    """Two people, sometimes three, no two of them `unseen_together`."""
    wanted = 3 if rng.random() < 0.25 else 2
    people: list[str] = [rng.choice(NAMES)]
    while len(people) < wanted:
        name = rng.choice(NAMES)
        if name not in people and not any(unseen_together(name, other) for other in people):
            people.append(name)
    return tuple(people)


def story(rng: random.Random) -> str:
    """One story of three to six sentences, about 40 to 90 words."""
    scene = Scene(cast(rng), rng.choice(PLACES))
    if len(scene.cast) == 2 and rng.random() < 0.35:
        sentences = [indirect_object(rng, scene)]
    else:
        sentences = [rng.choice(OPENINGS)(rng, scene)]
    for _ in range(rng.randrange(2, 6)):
        shapes = HAND_OVERS if rng.random() < 0.35 else EVENTS
        sentences.append(rng.choice(shapes)(rng, scene))
    return " ".join(sentences)
