"""What waits for the person: questions of every kind, and the queue of all that needs them."""
