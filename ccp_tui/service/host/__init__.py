"""The process: its lock, its log, its start and its end."""
