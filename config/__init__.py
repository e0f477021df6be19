"""Data only: chains and protocols."""
