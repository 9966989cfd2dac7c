"""Everything of Echoer that runs in Lambda."""
