"""Models of language and images, read as the language models that they hold.

The published folders of Gemma 3 from 4B on, Gemma 4, Mistral 3 and Qwen 3.5 are such.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch.testing import assert_close

from faultlens.models.conformance import conformance
from faultlens.models.load import load_model
from faultlens.models.sites import Site
from tests.models.tiny_networks import COMMON, GROUPED, LINEAR, VOCABULARY

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[1, 5, 9, 33, 7, 12, 40, 2]])
IMAGES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip
MIXED = {
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
CONFIGS: dict[str, dict[str, Any]] = {
    "mistral3": {
        "text_config": {"model_type": "mistral", **COMMON, **GROUPED, "sliding_window": 4},
        "vision_config": {"model_type": "pixtral", **IMAGES, "head_dim": 8},
        "image_token_index": VOCABULARY - 2,
    },
    "gemma3": {
        "text_config": {**COMMON, **GROUPED, **MIXED, "query_pre_attn_scalar": 16},
        "vision_config": IMAGES,
        "mm_tokens_per_image": 4, "image_token_index": VOCABULARY - 2,
    },
    "qwen3_5": {
        "text_config": {**COMMON, **GROUPED, **LINEAR},
        "vision_config": {
            "depth": 1, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
            "out_hidden_size": 32, "num_position_embeddings": 16,
        },
        "image_token_id": VOCABULARY - 2, "video_token_id": VOCABULARY - 3,
        "vision_start_token_id": VOCABULARY - 4, "vision_end_token_id": VOCABULARY - 5,
    },
}  # fmt: skip


@pytest.fixture(params=CONFIGS, scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub holds it: both halves, random."""
    out = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(request.param, **CONFIGS[request.param])
    network = transformers.AutoModelForImageTextToText.from_config(config).eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases, and gains, which would be 0 and 1
            parameter.data += 0.2 * torch.randn_like(parameter)
    network.save_pretrained(out)
    words = {f"w{i}": i for i in range(VOCABULARY)}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="w0")),
        bos_token="w0", eos_token="w63", unk_token="w0", pad_token="w0",
    ).save_pretrained(out)  # fmt: skip
    return out


def test_the_language_model_is_read_as_transformers_runs_it(folder: Path) -> None:
    model = load_model(str(folder))
    plain = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
    with torch.no_grad():
        theirs = plain(input_ids=IDS, output_hidden_states=True, use_cache=False)
    assert_close(model.logits(IDS), theirs.logits, rtol=1e-5, atol=1e-5)
    for layer in range(model.n_layers):
        site = Site(layer, "resid_pre")
        assert_close(
            model.read(IDS, [site])[site], theirs.hidden_states[layer], rtol=1e-5, atol=1e-5
        )
    assert model.n_layers == 3, "of the language half"
    assert model.generate(IDS.tolist(), 3)


def test_every_site_edit_and_restart_conforms(folder: Path) -> None:
    found = conformance(load_model(str(folder)))
    assert found.holds, [check for check in found.checks if not check.holds]
