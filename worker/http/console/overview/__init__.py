"""Overview: the whole service on one screen, what is wrong on top, kept live."""
