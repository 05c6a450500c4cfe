"""What we feed: texts with labels, and task prompts with targets, foils and factors."""
