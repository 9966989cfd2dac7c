"""The commands of the terminal by subject. Their docstrings are the help texts."""
