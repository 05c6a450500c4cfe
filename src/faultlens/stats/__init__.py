"""What we conclude: arrays in, numbers out. Imports NumPy, SciPy and scikit-learn only."""
