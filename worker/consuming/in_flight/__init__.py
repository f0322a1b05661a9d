"""Messages between their fetch and their acknowledgement, with the Lua that moves them."""
