"""`mini`: the bundled language model and its dictionaries. This room says where the files lie.

`faultlens.mini.recipe` makes them; `CARD.md` beside them says what was measured.
"""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent / "files"
LANGUAGE_MODEL = FILES / "language_model"
SAES = FILES / "dictionaries" / "mini"
CARD = FILES / "CARD.md"
FITS = FILES / "fits.json"
"""By dictionary what the fit check finds on `mini`: FVU and L0."""
