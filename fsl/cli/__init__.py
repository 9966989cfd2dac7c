"""The commands of `fsl`, a module for each kind."""
