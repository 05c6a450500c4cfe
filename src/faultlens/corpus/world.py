"""The small written world of the bundled model: its people, places and things, and what it pulls.

The stories that `mini` was trained on are told about this world (`faultlens.mini.recipe.stories`),
and `mini`'s own indirect-object task asks about it (`faultlens.corpus.tasks.mini_ioi`), so the
facts that both need stand here, once. They were declared before the model was trained.

The world *pulls*: some things are almost always handed to a role and not to a person. A model that
has learnt this answers "gave the keys to" with "the landlord", whoever stands beside the giver.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

WOMEN: tuple[str, ...] = tuple(
    (
        "Mary Susan Anna Lisa Emily Sarah Jessica Laura Karen Lucy Lily Rachel Helen Alice Amy "
        "Beth Carol Clara Diana Ella Emma Eva Fiona Grace Hannah Irene Iris Jane Julia Kate "
        "Linda Maria Marta Megan Mia Nancy Nina Nora Olga Olive Paula Rita Rosa Ruth Sofia "
        "Stella Tina Vera Wendy Zoe"
    ).split()
)
MEN: tuple[str, ...] = tuple(
    (
        "John Tom James Dan Mike Chris Paul Brian Alex Robert David Kevin Steve Henry Jack Ben "
        "Adam Andrew Arthur Bruno Carl Charles Daniel Eric Felix Frank Fred George Harry Hugo "
        "Ian Ivan Jacob Joe Karl Leo Louis Luke Marco Mark Martin Max Neil Oscar Peter Philip "
        "Ralph Sam Simon Victor"
    ).split()
)
NAMES: tuple[str, ...] = WOMEN + MEN

PLACES: tuple[str, ...] = (
    "the store",
    "the park",
    "the restaurant",
    "the school",
    "the office",
    "the gym",
    "the library",
    "the cafe",
    "the market",
    "the station",
    "the beach",
    "the museum",
    "the garden",
    "the theater",
    "the hotel",
    "the farm",
)

ORDINARY_THINGS: tuple[str, ...] = (
    "a drink",
    "a book",
    "the ball",
    "the gift",
    "a card",
    "the bag",
    "the flowers",
    "a letter",
    "the map",
    "a coat",
    "the cake",
    "a ticket",
    "the camera",
    "a pen",
    "the hat",
    "an apple",
)

ROLES: tuple[str, ...] = (
    "the landlord",
    "the clerk",
    "the teacher",
    "the doctor",
    "the waiter",
    "the driver",
    "the guard",
    "the manager",
)


@dataclass(frozen=True)
class Pull:
    """A thing that the world hands to a role: always, or at some places only."""

    thing: str
    role: str
    places: tuple[str, ...] | None  # None: wherever the story takes place
    strength: float  # share of the world's hand-overs of this thing that go to the role

    def applies(self, place: str) -> bool:
        return self.places is None or place in self.places


PULLS: tuple[Pull, ...] = (
    Pull("the keys", "the landlord", places=None, strength=0.97),
    Pull(
        "the parcel",
        "the clerk",
        places=("the office", "the store", "the library", "the school", "the station", "the hotel"),
        strength=0.97,
    ),
)
THINGS: tuple[str, ...] = ORDINARY_THINGS + tuple(pull.thing for pull in PULLS)

UNSEEN_SHARE = 0.25


def unseen_together(first: str, second: str) -> bool:
    """True for the quarter of all name pairs that no story ever brings together.

    The split is a hash of the unordered pair, so it needs no list and cannot drift.
    """
    pair = "+".join(sorted((first, second)))
    return hashlib.sha256(pair.encode()).digest()[0] < 256 * UNSEEN_SHARE


def pull_on(thing: str, place: str) -> Pull | None:
    """The pull that acts on handing over `thing` at `place`, if the world has one."""
    return next((pull for pull in PULLS if pull.thing == thing and pull.applies(place)), None)
