"""What a person has on the desk: language manual, examples, the `fsl` command and the one-machine server."""
