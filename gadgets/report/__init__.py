"""A finished scan as a report for people: one HTML file and the same as PDF."""
