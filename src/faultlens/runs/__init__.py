"""Run folders: manifest, hashes, atomic writes. Standard library only."""
