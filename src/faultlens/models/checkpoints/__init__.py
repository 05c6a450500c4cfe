"""Checkpoints: a model's files, from the name that a user gave to a network and its tokenizer.

`source` finds the files; `gguf` converts a GGUF file to an ordinary folder first; `weights` loads
the network, `lora` merges an adapter into it, `tokenizer` loads the tokenizer; `digest` says what
was loaded.
"""
