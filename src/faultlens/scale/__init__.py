"""Many workers: a list of jobs, done by this process or spread over a Ray cluster."""
