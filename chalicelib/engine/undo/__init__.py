"""What undoes finished work, and in which order."""
