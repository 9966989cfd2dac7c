"""What happens when a step returns: repeat, save, route."""
