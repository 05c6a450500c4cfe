#!/usr/bin/env bash
# llamascopium 2.0.0b34: folding the average norm into a JumpReLU SAE changes which features fire.
#
# SparseAutoEncoder.from_pretrained(…, fold_activation_scale=True), and standardize_parameters_of_
# dataset_norm() behind it, divide b_E and b_D by s = √d / average norm, and leave the threshold as it
# is. The gate compares hidden_pre · ‖W_D‖ with it, and hidden_pre on raw activations is 1/s of what it
# was in training. The documentation says that reconstructions stay the same. They do for ReLU and TopK.
# Seen, at an average norm of 100 with d = 64 (s = 0.08): 8.7 features a token fire before, 58.3 after,
# and the reconstruction moves by 91 % of its length. Nothing warns of it.
#
# FaultLens reads such files with the factor on the input, and the threshold where it was trained
# (tests/models/formats/test_formats.py, against from_pretrained without folding).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    llamascopium==2.0.0b34 torch==2.13.0 transformer-lens==3.9.0 transformers==5.23.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from llamascopium.models.sae import SAEConfig, SparseAutoEncoder

D, HOOK = 64, "blocks.0.hook_resid_pre"
torch.manual_seed(0)
x = torch.randn(256, D)
x = 100 * x / x.norm(dim=1).mean()
for act_fn in ("relu", "topk", "jumprelu"):
    config = SAEConfig(
        hook_point_in=HOOK, hook_point_out=HOOK, d_model=D, expansion_factor=2, act_fn=act_fn,
        top_k=8, norm_activation="dataset-wise", device="cpu", dtype=torch.float32,
    )
    sae = SparseAutoEncoder(config)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn_like(parameter) / 8)
        if act_fn == "jumprelu":
            sae.activation_function.log_jumprelu_threshold.fill_(1.5).log_()
    sae.set_dataset_average_activation_norm({HOOK: 100.0})

    def seen(batch, scale):
        features = sae.encode(batch)
        return (features > 0).float().sum(1).mean().item(), sae.decode(features) / scale

    with torch.no_grad():
        batch, scales = sae.normalize_activations({HOOK: x}, return_scale_factor=True)
        before, rebuilt = seen(batch[HOOK], scales[HOOK])
        sae.standardize_parameters_of_dataset_norm()
        after, folded = seen(x, 1.0)
    moved = ((rebuilt - folded).norm() / rebuilt.norm()).item()
    print(f"{act_fn}: {before:.1f} features a token before folding, {after:.1f} after; "
          f"the reconstruction moves by {moved:.1%}")
    if act_fn == "jumprelu":
        assert after > 1.5 * before and moved > 0.1, "folding keeps JumpReLU: this has changed"
    else:
        assert abs(before - after) < 0.01 and moved < 1e-4, f"folding moves {act_fn} too"
PYTHON
