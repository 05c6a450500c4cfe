"""How the bundled model `mini` is made: `python -m faultlens.mini.recipe`.

The flow, one file a step: `stories` and `kinds/` write the text, `text` mixes it into a numbered
stream of documents, `tokenizer` and `language_model` train on it, `dictionaries` trains the sparse
autoencoders, `card` measures what was made. No other room imports this one.
"""
