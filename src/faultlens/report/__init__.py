"""How we show it: one self-contained HTML page, terminal tables."""
