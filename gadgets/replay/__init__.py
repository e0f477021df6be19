"""Play recorded raw data through a chain or to a server."""
