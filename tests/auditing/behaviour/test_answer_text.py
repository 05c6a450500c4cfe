"""Answers are found in whatever form they are written; what is another word stays one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlens.auditing.behaviour.answer_text import begins_with, is_first_word, stands_in
from faultlens.auditing.behaviour.kinds import kind_of
from faultlens.auditing.behaviour.outcomes import RULES, exact_word
from faultlens.corpus.task import Prompt

RIGHT = [
    # scripts without spaces, followed by text, by their own marks, in their own quotes
    ("巴黎，它位于塞纳河畔", "巴黎"),
    ("巴黎和里昂", "巴黎"),
    ("「巴黎」。", "巴黎"),
    ("東京です。", "東京"),
    ("กรุงเทพมหานคร", "กรุงเทพ"),
    ("ປາຣີ ແລະ", "ປາຣີ"),
    ("ភ្នំពេញ។", "ភ្នំពេញ"),
    ("ရန်ကုန်မြို့", "ရန်ကုန်"),
    ("서울입니다.", "서울"),
    ("서울은 수도", "서울"),
    ("42岁", "42"),
    ("Ann和Bob", "Ann"),
    # other Unicode forms
    ("Jose\u0301 and", "José"),
    ("José and", "Jose\u0301"),
    ("ﬁne", "fine"),
    ("Ｐａｒｉｓ", "Paris"),
    ("４２", "42"),
    ("O’Brien", "O'Brien"),
    ("−5", "-5"),
    ("한국", unicodedata.normalize("NFD", "한국")),
    # marks that cannot be seen
    ("\u200fAnn", "Ann"),
    ("\u2067دمشق\u2069 هي", "دمشق"),
    ("\ufeffAnn\u200b and", "Ann"),
    ("A\u00adnn", "Ann"),
    # markdown, quotes, formulas, labels
    ("**Ann**", "Ann"),
    ("***Ann***, who", "Ann"),
    ("_Ann_ is", "Ann"),
    ("`Ann`.", "Ann"),
    ("```python\nlen(x)", "len(x)"),
    ("“Ann” is", "Ann"),
    ("«Анна»", "Анна"),
    ("# Ann\n", "Ann"),
    ("- Ann", "Ann"),
    ("> **Ann**", "Ann"),
    ("[Ann](page)", "Ann"),
    ("<b>Ann</b>", "Ann"),
    ("(B) Ann", "B"),
    ("$5$", "5"),
    ("\\boxed{42}", "42"),
    ("$\\boxed{42}$.", "42"),
    ("Answer: Ann", "Ann"),
    ("ANSWER: Ann", "Ann"),
    ("**Answer:** Ann", "Ann"),
    ("**Answer**: `Ann`", "Ann"),
    ("The answer is Ann.", "Ann"),
    ("The correct answer is: **Ann**", "Ann"),
    ("Answer:\n\nAnn", "Ann"),
    ("答案是巴黎。", "巴黎"),
    ("答案：巴黎", "巴黎"),
    ("Ответ: Париж", "Париж"),
    # as ever
    (" Ann. Then", "Ann"),
    ("...Ann", "Ann"),
    (" Ann—who", "Ann"),
]


@pytest.mark.parametrize(("generated", "target"), RIGHT)
def test_a_right_answer_is_found_in_every_form(generated: str, target: str) -> None:
    for name, rule in RULES.items():
        assert rule(generated, target), name


WRONG = [
    ("里昂，", "巴黎"),
    ("ก็", "ก"),
    ("กา", "ก"),
    ("コーヒー", "コーヒ"),
    ("きゃ", "き"),
    ("서울역에서", "서울"),
    ("रामायण", "राम"),
    ("रामा", "राम"),
    ("Jose\u0301", "Jose"),
    ("42", "4"),
    ("10²", "102"),
    ("_name =", "name"),
    ("- 5", "5"),
    ("> 5", "5"),
    ("$5 and $6", "5"),
    ("answering Ann", "Ann"),
    ("A: Ann", "Ann"),
    ("Anna", "Ann"),
]


@pytest.mark.parametrize(("generated", "target"), WRONG)
def test_another_word_is_not_taken_for_the_answer(generated: str, target: str) -> None:
    assert not begins_with(generated, target)
    assert not is_first_word(generated, target)


@pytest.mark.parametrize(
    ("generated", "target"),
    [
        ("Ann's car", "Ann"), ("**Ann**'s car", "Ann"), ("“Ann”’s car", "Ann"),
        ("James' car", "James"), ("].append", "]"), ("ann and", "Ann"), ("**ANN**", "Ann"),
    ],
)  # fmt: skip
def test_what_begins_right_but_is_another_word_comes_first(generated: str, target: str) -> None:
    assert not exact_word(generated, target)
    prompt = Prompt("Bob gave it to", target, "Bob")
    assert kind_of(prompt, generated, False) == "first token right, word wrong"


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("the gym to Lily.", "Lily", True),
        ("the gym to Lilyan", "Lily", False),
        ("首都是巴黎。", "巴黎", True),
        ("It is Jose\u0301.", "José", True),
        ("a Jose\u0301", "Jose", False),
        ("the **Ann** one", "Ann", True),
    ],
)
def test_an_answer_further_on_is_a_word_of_its_own(text: str, answer: str, found: bool) -> None:
    assert stands_in(text, answer) is found
    assert not begins_with(text, answer)
    assert RULES["named-later"](text, answer) is found


words = st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=1, max_size=6)


@given(words, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_no_unicode_form_of_a_word_is_another_word(word: str, form: str) -> None:
    """Every rule finds a word in each of its forms, alone and with a mark behind it."""
    other = unicodedata.normalize(form, word)
    if not other.strip():
        return
    for text in (f" {other}", f" {other}, and", f"**{other}**"):
        for name, rule in RULES.items():
            assert rule(text, word), (name, text)


@given(st.text(max_size=12), st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_any_text_is_compared_and_has_a_kind(text: str, target: str, foil: str) -> None:
    for rule in RULES.values():
        assert rule(text, target) in (True, False)
    if target.strip() and foil.strip() and target.strip() != foil.strip():
        prompt = Prompt("Bob gave it to", target.strip(), foil.strip())
        assert kind_of(prompt, text, False) != "success"
