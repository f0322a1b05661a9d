"""Client authentication: its methods, assertions, and the choice among them."""
