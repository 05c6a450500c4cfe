"""Names of features as a user writes them: `3-res-mini/808`, or several joined by `+`."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.feature_set import FeatureSet
from faultlens.errors import UserError
from faultlens.features.lens import Lens

EXPECTED = "DICTIONARY/INDEX, e.g. 3-res-mini/808, or several of one dictionary joined by +"


def parse_feature_sets(
    texts: Sequence[str], lens: Lens, what: str = "test_features"
) -> list[FeatureSet]:
    """What each text names, a set a text; one that was named before is left out.

    Raises UserError as `parse_features` does.
    """
    return list(dict.fromkeys(parse_features(text, lens, what) for text in texts))


def parse_features(text: str, lens: Lens, what: str = "features") -> FeatureSet:
    """The features that `SITE/INDEX+SITE/INDEX` names, each once.

    Args:
        what: what an error calls the text.

    Raises:
        UserError: text of another form, features of two dictionaries, a dictionary that the lens
            does not have, or an index that its dictionary does not have.
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
    return FeatureSet(sites[0], tuple(dict.fromkeys(indices)))
