"""Kinds of failure, on what fluent models generate."""

from __future__ import annotations

import pytest

from faultlens.auditing.behaviour.kinds import KINDS, counted_kinds, kind_of
from faultlens.auditing.behaviour.outcomes import exact_word
from faultlens.corpus.task import Prompt

GYM = Prompt("When Lisa and Alex went to the gym, Alex gave her keys to", "Lisa", "Alex")
STORE = Prompt("James told Mary's mother about the store's manager, and gave", "James", "Mary")
CODE = Prompt("total = sum(data[row", "])", "))", separator="")
CAPITAL = Prompt("法国的首都是", "巴黎", "里昂")
ASKED = Prompt("Who is the tallest?\nAnswer:", "Lisa", "Alex")


@pytest.mark.parametrize(
    ("prompt", "generated", "kind"),
    [
        # a possessive is no pronoun, and names the target where it does
        (GYM, " her friend, and", "possessive noun phrase"),
        (GYM, " his brother, Henry", "possessive noun phrase"),
        (GYM, " her friend Lisa", "names the target later"),
        (GYM, " her keys", "another phrase of the prompt"),
        (GYM, " her.", "pronoun"),
        (GYM, " her and", "pronoun"),
        (GYM, " her the book", "pronoun"),
        (GYM, " her", "pronoun"),
        (GYM, " it's a", "pronoun"),
        # what belongs to the foil is not the foil
        (GYM, " Alex's friend", "possessive noun phrase"),
        (GYM, " Alex’s", "possessive noun phrase"),
        (GYM, " Mary's mother", "possessive noun phrase"),
        (GYM, " James' mother", "possessive noun phrase"),
        (GYM, " Alex and Lisa", "names the foil"),
        (GYM, " **Alex**", "names the foil"),
        (GYM, " Alex's going home", "names the foil"),
        (GYM, " the gym's manager", "possessive noun phrase"),
        (GYM, " the gym's", "another phrase of the prompt"),
        (GYM, " the gym’s newest member, and Lisa", "possessive noun phrase"),
        (GYM, " the old library's books", "possessive noun phrase"),
        (GYM, " the gym's going to close", "another phrase of the prompt"),
        (STORE, " the store's manager, who", "another phrase of the prompt"),
        (STORE, " Mary's mother", "another phrase of the prompt"),
        (STORE, " the store's owner", "possessive noun phrase"),
        (STORE, " James' car", "first token right, word wrong"),
        # what belongs to the target is not the target, nor what belongs to the foil the foil
        (GYM, " the door to Lisa's room.", "another noun phrase"),
        (GYM, " the door to Lisa’s room.", "another noun phrase"),
        (GYM, " the gym to Lisa's.", "another phrase of the prompt"),
        (GYM, " a friend of Lisa's, who", "another noun phrase"),
        (GYM, " her friend Lisa's house", "possessive noun phrase"),
        (GYM, " the door to Lisa's room to Lisa", "names the target later"),
        (GYM, " the one who knows that Lisa's going home", "names the target later"),
        (GYM, " Alex's friend Lisa", "names the target later"),
        (GYM, " the door to Alex’s room to Lisa", "names the target later"),
        (GYM, " the gym's cameras to Lisa.", "names the target later"),
        (STORE, " the car of James' mother", "another noun phrase"),
        (STORE, " the car of James’ mother", "another noun phrase"),
        (STORE, " the car of James's mother", "another noun phrase"),
        (STORE, " the store 'of James' and", "names the target later"),
        (STORE, " the store to James' and", "names the target later"),
        # a detour
        (GYM, " the gym to Lisa", "names the target later"),
        (GYM, " the gym to Alex and Lisa", "another phrase of the prompt"),
        (GYM, " the gym. Lisa was", "another phrase of the prompt"),
        (GYM, " the gym\n\nLisa was", "another phrase of the prompt"),
        (GYM, " the gym to Lisandra", "another phrase of the prompt"),
        (GYM, " the gym, and Lisa left", "another phrase of the prompt"),
        (GYM, " her friend, who knew Lisa", "possessive noun phrase"),
        (GYM, " one of us, Lisa", "names the target later"),
        # names
        (GYM, " Mary and", "another name"),
        (GYM, " Zbigniew", "another name"),
        (GYM, " everyone", "other word"),
        (GYM, " NASA", "other word"),
        (ASKED, " Sorry, I", "other word"),
        (ASKED, " Mary", "another name"),
        (Prompt("2 + 2 is", "4", "5"), " Zbigniew", "other word"),
        # no word
        (GYM, "'s decision", "suffix of the prompt's last word"),
        (GYM, "’s idea", "suffix of the prompt's last word"),
        (GYM, "' office are", "suffix of the prompt's last word"),
        (GYM, ".\n\nThe book is", "ended the sentence"),
        (GYM, "\n\nThe book is", "ended the sentence"),
        (ASKED, "\n\nThe tallest", "another phrase of the prompt"),
        (GYM, ".", "ended the sentence"),
        (GYM, "。那", "ended the sentence"),
        (GYM, ", who was", "punctuation or code"),
        (GYM, " and then", "other word"),
        (GYM, "!!!!!!!!", "empty or degenerate"),
        (GYM, "########", "empty or degenerate"),
        (GYM, " the the the the the", "empty or degenerate"),
        # code
        (CODE, "))", "names the foil"),
        (CODE, "))\n", "names the foil"),
        (CODE, "])", "success"),
        (CODE, "]", "punctuation or code"),
        (CODE, "] + 1", "punctuation or code"),
        (CODE, "[0]", "punctuation or code"),
        (CODE, ".append(x)", "punctuation or code"),
        (CODE, ")))))))))", "names the foil"),
        (CODE, "}}}}}}", "punctuation or code"),
        (CODE, "_name = 3", "punctuation or code"),
        # a script without spaces
        (CAPITAL, "巴黎，它", "success"),
        (CAPITAL, "里昂，它", "names the foil"),
        (CAPITAL, "法国的巴黎", "names the target later"),
        (CAPITAL, "法国的城市", "another phrase of the prompt"),
        (CAPITAL, "北京", "other word"),
    ],
)
def test_what_fluent_models_say_has_its_kind(prompt: Prompt, generated: str, kind: str) -> None:
    assert kind in KINDS
    assert kind_of(prompt, generated, exact_word(generated, prompt.target)) == kind


def test_of_target_and_foil_the_longer_one_counts() -> None:
    longer = Prompt("He met", "Ann Lee's sister", "Ann Lee")
    assert kind_of(longer, " Ann Lee's sister, who", False) == "first token right, word wrong"
    assert kind_of(longer, " Ann Lee, who", False) == "names the foil"


def test_kinds_are_counted_in_their_order_and_others_after_them() -> None:
    kinds = ["refusal", "pronoun", "success", "a kind of its own", "pronoun"]
    assert list(counted_kinds(kinds).items()) == [
        ("success", 1), ("pronoun", 2), ("a kind of its own", 1), ("refusal", 1),
    ]  # fmt: skip
