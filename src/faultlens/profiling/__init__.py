"""Study 1: which features go with which kind of text."""
