"""Token endpoint: its requests and answers, the types and lifetimes of tokens."""
