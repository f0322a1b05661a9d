"""Sign-in in a browser: its start, the provider's answer, and its end."""
