"""What agents report with their command, and whether it counts."""
