"""A comparison as a tree of the report's parts: page, terminal and notebook take it from here."""
