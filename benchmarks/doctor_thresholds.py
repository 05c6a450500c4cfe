"""What the doctor's thresholds stop and let through: `python benchmarks/doctor_thresholds.py`.

Right conventions must pass: the eight trained dictionaries of `mini`, and dictionaries planted on
random models of several seeds (`tests/models/planting.py`). Then each is put under every other
convention that it can have. Advice is right if under it the variance left is within 5 % of the
least; a wrong convention that passes is listed with what it costs.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "models"))

from planting import planted, random_model, values

import faultlens as fl
from faultlens.models.convention import put_in_force, rivals
from faultlens.models.dictionary import Convention, Dictionary
from faultlens.models.doctor import examine
from faultlens.models.examination import Examination
from faultlens.models.model import Model
from faultlens.models.normalisation import NORMALISATIONS, normalised
from faultlens.models.sites import Site

SEEDS = range(5)
SITES = (Site(1, "resid_pre"), Site(2, "resid_pre"), Site(1, "mlp_out"), Site(1, "attn_out"))
AS_GOOD = 1.05
KIND = {
    "bos": "BOS", "no-bos": "BOS", "centred": "centring", "raw": "centring",
    "layer_norm": "normalisation", "constant_norm_rescale": "normalisation",
    "unnormalised": "normalisation", "decoder-norm": "decoder norm",
    "no-decoder-norm": "decoder norm",
}  # fmt: skip


def planted_ones(model: Model) -> list[Dictionary]:
    """At each site one for every setting of centring and BOS, and one for every normalisation."""
    made = []
    for site in SITES:
        for bos in (True, False):
            x = values(model, site, bos)
            raw = Convention(prepend_bos=bos, centred=False)
            made.append(planted(x, raw, site, keep=20))
            flat = x - x.mean(-1, keepdim=True)
            made.append(planted(flat, Convention(prepend_bos=bos, centred=True), site, keep=20))
        x = values(model, site)
        for name in ("layer_norm", "constant_norm_rescale"):
            how = NORMALISATIONS[name]
            dictionary = planted(normalised(how, x), Convention(True, False, False, name), site, 20)
            made.append(put_in_force(dictionary, [name]))
    return made


def kind_of(words: tuple[str, ...]) -> str:
    kinds = {KIND.get(word, "normalisation") for word in words}
    return " and ".join(sorted(kinds))


def judge(model: Model, rights: list[Dictionary], name: str) -> None:
    passed, seen, costs = 0, Counter[tuple[str, str]](), []
    for right, examined in zip(rights, examine(model, rights), strict=True):
        passed += examined.complaint is None
        if examined.complaint is not None:
            print("   false alarm:", examined.complaint)
        words = [rival.words for rival in rivals(right, mean_norm(model, right)) if rival.words]
        wrongs = [put_in_force(right, list(chosen)) for chosen in words]
        for chosen, ill in zip(words, examine(model, wrongs), strict=True):
            found = verdict(ill, examined)
            seen[kind_of(chosen), found] += 1
            if found == "passed" and ill.in_force.fvu > AS_GOOD * examined.in_force.fvu:
                costs.append((ill.in_force.fvu, examined.in_force.fvu, kind_of(chosen)))
    print(f"{name}: {passed} of {len(rights)} right conventions pass")
    for (kind, found), count in sorted(seen.items()):
        print(f"   {kind:<24} {found:<12} {count}")
    for wrong, right_fvu, kind in sorted(costs, reverse=True)[:8]:
        print(f"   passed with FVU {wrong:.3f} in place of {right_fvu:.3f}: {kind}")


def verdict(ill: Examination, right: Examination) -> str:
    if ill.better is not None:
        return "right advice" if ill.better.fvu <= AS_GOOD * right.in_force.fvu else "other advice"
    if ill.complaint is not None:
        return "stopped"
    return "passed" if ill.in_force.fvu > AS_GOOD * right.in_force.fvu else "no matter"


def mean_norm(model: Model, dictionary: Dictionary) -> float:
    x = values(model, dictionary.site, dictionary.convention.prepend_bos)
    return float(dictionary.plain_input(x).norm(dim=-1).mean())


def main() -> None:
    torch.set_num_threads(2)
    lens = fl.load("mini", sites=["all"])
    judge(lens.model, list(lens.dictionaries), "mini")
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            model = random_model(Path(folder), seed)
            judge(model, planted_ones(model), f"planted, seed {seed}")


if __name__ == "__main__":
    main()
