"""Rows to tell stories with: one module per app, one cast for all (see each module's docstring)."""
