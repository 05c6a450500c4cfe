"""What we run: Hugging Face causal language models, and the dictionaries (SAEs) beside them.

`load` and `dictionaries` find both by name; `Model` reads, edits and continues; `families` says
where each architecture keeps what `sites` name; `doctor` checks that both fit together.
"""
