"""What is measured, and how: `make bench` runs every part and writes RESULTS.md."""
