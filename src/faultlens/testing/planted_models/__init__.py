"""Planted models: copies of `mini` into which a cause of failure was put, and it is known what
it reads. `plant_model("one feature, layer 4")` makes one in seconds; no weights are kept."""
