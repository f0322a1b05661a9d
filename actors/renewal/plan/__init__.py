"""Plan of renewals: what falls due when, as a list and as a timeline."""
