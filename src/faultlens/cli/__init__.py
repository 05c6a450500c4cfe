"""How it is started: one small file a command."""
