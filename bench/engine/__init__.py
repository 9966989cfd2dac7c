"""Decisions, the language and expressions, beside the libraries that do one of them."""
