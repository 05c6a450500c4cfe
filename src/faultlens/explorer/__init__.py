"""A local web page over a run or a store: look features up, read a text, try an edit."""
