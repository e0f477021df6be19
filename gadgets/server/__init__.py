"""The embedded MRD server."""
