"""Jobs as Redis holds them: records, their sealed parts, their states, and their index by app."""
