"""Pages of connections: searched, told one by one, and changed, one or all that match."""
