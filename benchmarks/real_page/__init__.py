"""The page of the study of two real models, `docs/real_models.md`: a file a section."""
