"""OpenRecon packages: the label, made from settings and chains, and the published rules for it."""
