"""Which features go with failure, and do they matter? The folders are the steps of the argument.

- `study.py` calls every step, in this order, and is the only file that does.
- `activations/`: the task in tokens, and what the model and its dictionaries hold there.
- `behaviour/` (step 1): prompts → outcomes.
- `factors/` (step 2): descriptions of prompts → levels that go with failure.
- `feature_tests/` (steps 3 to 5): tables → tested, classed and stratified features.
- `held_out/` (step 6): inputs → failure predicted on held-out prompts.
- `interventions/` (steps 7 and 8): a feature set → its effect on the answers.
- `replication/` (step 9): halves of the prompts, and prompts of other seeds.
- `verdicts/` (step 10): what may be said of each class, and the claims ledger.
- `result/`: what each step found, for the file, the page and the terminal.
"""
