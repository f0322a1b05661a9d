"""Pages of providers: their state, a form made from their schema, and the catalogue."""
