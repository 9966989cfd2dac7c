"""A flow of five HTTP steps on one machine: Echoer and its peers, each in a process of its own, in turn."""
