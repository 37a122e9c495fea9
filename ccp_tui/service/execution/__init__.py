"""What starts, what it is told, what follows when it ends, and what stops it."""
