"""Token-level activations of a whole corpus on disk, in shards, resumable; readable without us."""
