"""Runs side by side: what differs between them in outcomes, factors, classes and verdicts."""
