"""The perfline command."""
