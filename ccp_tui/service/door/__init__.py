"""The way in: sockets, the fan-out to clients, and how a method's parameters and errors are told."""
