"""Templates whose alternatives stand in ⟨this¦that⟩ and whose fields are $letters.

Code and mathematics need their braces for themselves, hence the brackets that neither uses.
"""

import random
import re
from collections.abc import Callable, Mapping


def fill(r: random.Random, template: str, fields: Mapping[str, Callable[[], str]]) -> str:
    """Choose one of each ⟨this¦that⟩, inmost first, then put in a new text at each $letter.

    A text of several lines is indented as far as the line its letter stands on.
    """
    seen = 1
    while seen:
        template, seen = re.subn("⟨([^⟨⟩]*)⟩", lambda m: r.choice(m[1].split("¦")), template)
    out = []
    for line in template.expandtabs(4).split("\n"):
        pad = line[: len(line) - len(line.lstrip())]
        full = re.sub(r"\$([A-Za-z])", lambda m: fields[m[1]](), line)
        out.append(full.replace("\n", "\n" + pad))
    return "\n".join(out)
