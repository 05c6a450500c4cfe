"""Token texts: what each token shows of its text, down to the characters that it holds bytes of.

A byte-level vocabulary splits characters that it has not seen often into several tokens, none of
which is text by itself. Each of them is shown as the whole character.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

HALF = "\ufffd"  # what a decoder writes for bytes that are no character
LONGEST = 32  # tokens after which bytes that still make no character are left as they are

Decode = Callable[[Sequence[int]], str]


def token_texts(decode: Decode, ids: Sequence[int]) -> list[str]:
    """The characters of which each token holds at least one byte.

    Args:
        decode: from token ids to text, with U+FFFD for bytes that are no character.
        ids: the tokens.

    Returns:
        One a token. Those of a split character overlap: each shows the whole character.
    """
    texts: list[str] = []
    while len(texts) < len(ids):
        start = len(texts)
        after = decode_after(decode, ids[max(0, start - 1) : start])
        texts += _first_texts(after, ids[start : start + LONGEST])
    return texts


def decode_after(decode: Decode, before: Sequence[int]) -> Decode:
    """Decodes tokens as they read after `before`: some decoders drop the space they begin with."""
    if not before:
        return decode
    known = len(decode(before))
    return lambda ids: decode([*before, *ids])[known:]


def _first_texts(decode: Decode, ids: Sequence[int]) -> list[str]:
    """The text of the first token, and of those that its last character goes on into."""
    whole = [len(decode(ids[:1]).rstrip(HALF))]  # characters that are complete after each token
    for end in range(1, len(ids) + 1):
        text = decode(ids[:end])
        if end > 1:
            whole.append(len(text.rstrip(HALF)))
        if not text.endswith(HALF):
            break
    if HALF in text:  # no character at all, or one that the text itself holds
        return [decode(ids[:1])]
    starts = [0, *whole[:-1]]
    ends = [min(count + 1, len(text)) for count in whole[:-1]] + [len(text)]
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]
