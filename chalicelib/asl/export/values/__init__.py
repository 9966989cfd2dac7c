"""Values and expressions of FSL as those of Step Functions."""
