"""What we observe: texts read through a lens as sparse feature tables."""
