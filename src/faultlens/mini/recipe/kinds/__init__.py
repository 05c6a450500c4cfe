"""Text generators for the training corpus, one module per kind of text."""
