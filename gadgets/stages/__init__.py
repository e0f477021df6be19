"""The stages of a scan: one item in, zero or more items out."""
