"""Pages of connections: searched, shown one by one, and changed, one or all that match."""
