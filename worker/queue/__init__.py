"""Queue as the service sees it: its client, its keys, its state, and changes by an operator."""
