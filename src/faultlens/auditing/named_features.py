"""Named: features as a user writes them, `3-res-mini/808` or a set of them joined by `+`."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.feature_set import FeatureSet
from faultlens.errors import UserError
from faultlens.features.lens import Lens

EXPECTED = "DICTIONARY/INDEX, e.g. 3-res-mini/808, or several of one dictionary joined by +"


def read_suspects(texts: Sequence[str], lens: Lens) -> list[FeatureSet]:
    """What a user wants to be tried, each entry one feature or one set; repeats are left out.

    Raises UserError as `read_features` does.
    """
    found: list[FeatureSet] = []
    for text in texts:
        site, features = read_features(text, lens, "suspect")
        new = FeatureSet(None, site, features)
        if not any(new.same_as(known) for known in found):
            found.append(new)
    return found


def read_features(text: str, lens: Lens, what: str = "features") -> tuple[str, list[int]]:
    """The dictionary and the indices that `SITE/INDEX+SITE/INDEX` names, each index once.

    Args:
        what: what an error calls it.

    Raises:
        UserError: not of this form, of two dictionaries, of one that the lens does not have, or an
            index that its dictionary does not have.
    """
    sites, indices = [], []
    for part in text.split("+"):
        site, slash, index = part.strip().rpartition("/")
        if not slash or not site or not index.isdecimal():
            raise UserError(f"{what} {text!r}: expected {EXPECTED}")
        sites.append(site)
        indices.append(int(index))
    if len(set(sites)) > 1:
        raise UserError(
            f"{what} {text!r} is of the dictionaries {', '.join(dict.fromkeys(sites))}: expected "
            "one, for features are changed together at one site; name them one by one"
        )
    known = lens[sites[0]].d_sae
    for feature in indices:
        if feature >= known:
            raise UserError(
                f"{what} {text!r}: dictionary {sites[0]} has the features 0 to {known - 1}, got "
                f"{feature}"
            )
    return sites[0], list(dict.fromkeys(indices))
