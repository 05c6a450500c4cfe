#!/usr/bin/env bash
# inspect_ai 0.3.285: its hf provider gives a chat model BOS twice.
#
# The provider renders messages with the model's chat template as text, and tokenizes that text again with
# special tokens. Where the template writes BOS and the tokenizer adds it, as those of Llama 3 and Gemma do,
# the model reads `<bos><bos>…`, which it never saw in training. transformers' own way
# (apply_chat_template with tokenize=True) gives one. Nothing warns of it, and the log holds messages, not
# tokens. Seen: a Llama with such a tokenizer is given [1, 1, …], by transformers [1, …].
# A way around it: tokenizer_call_args={"add_special_tokens": False}.
#
# FaultLens puts BOS in front once; how far a log's answers come out again is checked and said
# (docs/logs.md, "Is it this model?").
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    inspect_ai==0.3.285 torch==2.13.0 transformers==5.23.0 accelerate
cd "$folder"
HF_HUB_OFFLINE=1 INSPECT_LOG_LEVEL=error "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import includes
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

words = ["<unk>", "<bos>", "<eos>", "<user>", "<assistant>", "who", "are", "you"]
plain = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.Whitespace()
plain.post_processor = processors.TemplateProcessing("<bos> $A", special_tokens=[("<bos>", 1)])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=plain, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>",
    additional_special_tokens=["<user>", "<assistant>"],
)
tokenizer.chat_template = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
tokenizer.save_pretrained("model")
torch.manual_seed(0)
LlamaForCausalLM(LlamaConfig(
    vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
    num_attention_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=2,
)).save_pretrained("model")

model = get_model("hf/local", model_path="model", tokenizer_path="model", device="cpu")
given = []
model.api.model.register_forward_pre_hook(
    lambda module, args, kwargs: given.append(kwargs["input_ids"][0].tolist()), with_kwargs=True
)
eval(Task([Sample(input="who are you", target="you")], scorer=includes()), model=model,
     max_tokens=1, display="none", log_dir="logs")
expected = AutoTokenizer.from_pretrained("model").apply_chat_template(
    [{"role": "user", "content": "who are you"}], add_generation_prompt=True, tokenize=True,
    return_dict=False,
)
print("given by inspect_ai:", given[0], " by transformers:", expected)
assert expected.count(1) == 1, expected
assert given[0][:2] == [1, 1], f"BOS is given once: this has changed ({given[0]})"
PYTHON
