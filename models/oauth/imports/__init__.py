"""Tables' side of imports: grants of another system, each of them stored once."""
