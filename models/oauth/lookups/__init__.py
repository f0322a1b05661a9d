"""Look-ups of connections: by account, by search, and how many there are."""
