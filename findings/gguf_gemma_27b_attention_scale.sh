#!/usr/bin/env bash
# transformers 5.23.0: a Gemma 2 or Gemma 3 27B read from its GGUF file attends at the wrong scale.
#
# These models divide attention scores by sqrt(query_pre_attn_scalar): 144 in Gemma 2 27B, 168 in
# Gemma 3 27B. GGUF has no field for it (llama.cpp derives it: width / heads for the two 27B models,
# the head's dimensions for all others), and transformers falls back on its class's default, 256.
# Attention scores are then 25 % (19 %) too small. Seen: 256 from headers with the published sizes of
# either model. Nothing warns of it.
#
# FaultLens sets it as llama.cpp does when it converts a file (models/checkpoints/gguf.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from gguf import GGUFWriter
from transformers import AutoConfig

PUBLISHED = {  # architecture: layers, width, heads, key-value heads, head size, MLP, scalar
    "gemma2": (46, 4608, 32, 16, 128, 36864, 144),
    "gemma3": (62, 5376, 32, 16, 128, 21504, 168),
}
for architecture, (layers, width, heads, groups, head, mlp, scalar) in PUBLISHED.items():
    file = f"{architecture}-27b.gguf"
    writer = GGUFWriter(file, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(8192)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_sliding_window(4096 if architecture == "gemma2" else 1024)
    writer.add_vocab_size(256000)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    config = AutoConfig.from_pretrained(".", gguf_file=file).get_text_config()
    found = config.query_pre_attn_scalar
    print(f"{architecture} 27B: query_pre_attn_scalar {found}, published {scalar}")
    assert config.head_dim == head and config.num_hidden_layers == layers
    assert found == 256, f"changed: {found}"
PYTHON
