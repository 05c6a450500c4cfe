"""The method study: every claim of a profile under every combination of its choices.

- `specifications.py`: the choices, and which of them are errors.
- `extraction.py`: the corpus read once, to be pooled in every way.
- `testing.py`: the best features under one way of reading, and whether they beat chance.
- `choices.py`: what each choice does to the claims.
- `method_study.py` calls the four in this order.
"""
