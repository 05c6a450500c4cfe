"""A category's best feature over all sites."""

from __future__ import annotations

from faultlens.profiling.result import Profile, Selectivity


def best(profile: Profile, category: str) -> Selectivity:
    """The most selective feature of all sites: least p after Holm, then the largest AUROC."""
    readings = [site.categories[category].selectivity for site in profile.sites.values()]
    return min(readings, key=lambda reading: (reading.p_holm, -reading.auroc))


def family(profile: Profile) -> str:
    """How many tests Holm's correction is for, in words."""
    sites, categories = len(profile.sites), len(profile.categories)
    return (
        f"{categories:,} {'category' if categories == 1 else 'categories'} × {sites} "
        f"{'site' if sites == 1 else 'sites'}"
    )
