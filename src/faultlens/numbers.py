"""Numbers as text: at most three significant digits, nothing rounded to a certainty it has not.

Verdicts, the ledger and the report write every number through these functions, so that one number
reads the same wherever it stands.
"""

from __future__ import annotations

NOTHING_FIRES = "nothing fires"
"""What is written for a category on whose texts no feature fires."""
NOT_DONE = "not done"
"""What is written where a result holds None: a thing not done is never shown as zero."""


def number(value: float) -> str:
    """At most three significant digits, with thousands set apart and no exponent above 1e-4.

    >>> number(1234.5), number(39.84), number(-0.0312), number(24576)
    ('1,234', '39.8', '−0.0312', '24,576')
    """
    if value == 0:
        return "0"
    size = abs(value)
    text = f"{size:,.0f}" if size >= 999.5 else f"{size:.3g}"
    return ("−" if value < 0 else "") + text


def signed(value: float) -> str:
    """A change, with its sign.

    >>> signed(0.5), signed(-0.25), signed(0.0)
    ('+0.5', '−0.25', '0')
    """
    return ("+" if value > 0 else "") + number(value)


def p_value(p: float) -> str:
    """A p-value; below 1e-4 in powers of ten.

    >>> p_value(3.14e-9), p_value(0.00139986), p_value(1.0), p_value(0.0)
    ('3.1e-9', '0.0014', '1', '< 1e-300')
    """
    if p <= 0:
        return "< 1e-300"  # underflow, not impossibility
    if p < 1e-4:
        digits, exponent = f"{p:.1e}".split("e")
        return f"{digits}e{int(exponent)}"
    return f"{p:.3g}" if p >= 0.01 else f"{p:.2g}"


def share(value: float) -> str:
    """A share as a percentage; almost all is not shown as all.

    >>> share(42 / 45), share(0.0745), share(1.0), share(0.99999)
    ('93.3%', '7.45%', '100%', '> 99.9%')
    """
    if 0.9995 <= value < 1:
        return "> 99.9%"
    return f"{number(100 * value)}%"


def auroc(value: float) -> str:
    """An AUROC to three places; almost perfect is not shown as perfect.

    >>> auroc(0.9731), auroc(1.0), auroc(0.99999)
    ('0.973', '1.00', '> 0.999')
    """
    if value == 1:
        return "1.00"
    return "> 0.999" if value >= 0.9995 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]"


def share_interval(low: float, high: float) -> str:
    return f"[{share(low)}, {share(high)}]"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "class", "classes"), counted(2000, "text")
    ('1 class', '2,000 texts')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: list[str], most: int | None = None) -> str:
    """Words in a row, cut after `most` with a word on how many more there are."""
    if most is None or len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def clipped(text: str, width: int) -> str:
    """One line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def clipped_feature(feature: str, width: int = 15) -> str:
    """A feature's name cut in its site, never in its index.

    >>> clipped_feature("4-res-mini/91"), clipped_feature("gpt2-small-resid-pre/24575")
    ('4-res-mini/91', 'gpt2-sma…/24575')
    """
    site, _, index = feature.rpartition("/")
    room = width - len(index) - 1
    return feature if len(feature) <= width else f"{clipped(site, max(room, 2))}/{index}"
