"""Programs for developers: the word check, the documentation site, stand-ins for AWS."""
