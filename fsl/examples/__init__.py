"""Example programs in FSL, and the action services that they call."""
