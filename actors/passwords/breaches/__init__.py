"""Breach lists: passwords that have leaked, looked up on this machine or by k-anonymity."""
