"""Pages of work: queues, dead letters and jobs, paused, replayed, discarded and cancelled."""
