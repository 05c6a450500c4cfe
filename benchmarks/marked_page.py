"""Pages of which a script writes one part, between two marks."""

from __future__ import annotations


def between(page: str, marks: tuple[str, str], text: str) -> str:
    """The page with a text between its marks, in place of what stood there.

    >>> between("A <b> old <e> Z", ("<b>", "<e>"), "new").splitlines()
    ['A <b>', 'new', '<e> Z']
    """
    before, rest = page.split(marks[0])
    return f"{before}{marks[0]}\n{text}\n{marks[1]}{rest.split(marks[1])[1]}"
