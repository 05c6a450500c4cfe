"""The byte-level BPE of `mini`: every byte string round-trips, every first name is one token."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from faultlens.corpus.world import NAMES
from faultlens.mini.recipe.text import documents

VOCABULARY = 3072
TRAINING_DOCUMENTS = 30_000
END_OF_TEXT = "<|endoftext|>"
CONTEXT = 256


def train_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Train on the first documents of the training split, check, and save as a Hugging Face folder.

    Raises ValueError if a first name is not one token, at the start of a text or within one.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Names open few documents, so a roll-call is added for their form without a leading space.
    roll_call = ["\n".join(NAMES)] * 300
    corpus = list(islice(documents("train"), TRAINING_DOCUMENTS)) + roll_call
    bpe.train_from_iterator(corpus, trainer)

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        model_max_length=CONTEXT,
    )
    split_names = [
        form
        for name in NAMES
        for form in (name, " " + name)
        if len(tokenizer.encode(form, add_special_tokens=False)) != 1
    ]
    if split_names:
        raise ValueError(f"names that are not one token: {', '.join(split_names)}")
    tokenizer.save_pretrained(folder)
    return tokenizer
