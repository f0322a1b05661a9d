"""Redis or Valkey: its URL, the connection to it, and its faults as sentences."""
