"""The tools for people: the `fsl` command, the language server, the one-machine server, the manual and examples."""
