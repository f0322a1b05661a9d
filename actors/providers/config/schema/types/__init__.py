"""Types of settings: what a field may hold, with the sentence for what it may not."""
