"""What we run: adapters over Hugging Face causal language models, and dictionaries (SAEs)."""
