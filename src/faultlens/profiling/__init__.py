"""Which features go with which kind of text? The files are the steps of the argument.

- `study.py` calls every step, in this order, and is the only file that does.
- `config.py`: how a profile is made.
- `measures.py` (step 1): a table of one site → its features' AUROC, score and peaks.
- `chance.py` (step 2): each category's best feature → its p-value under random labels;
  `lengths.py`: labels shuffled only among texts of like length.
- `readings.py` (step 3): measures and p-values → what is said of a category and of a site.
- `layers.py` (step 4): readings → what persists, what grows with depth, what is hard to tell.
- `token_evidence.py` (step 5): the features that stand out → the tokens that they fire on.
- `pairs.py` (step 6): minimal pairs → whether features follow the meaning or the surface.
- `multiverse/` (step 7): every claim again under every combination of method choices.
- `one_feature.py`: where one feature fires, in a text or a corpus, for whoever asks.
- `result/`: what each step found, for the file, the page and the terminal.

Steps 5 to 7 need a model; tables that somebody else computed do for the rest.
"""
