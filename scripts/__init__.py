"""What `make` runs. Plain Python: nothing here imports Django."""
