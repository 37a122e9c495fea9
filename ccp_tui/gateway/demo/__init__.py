"""A small OpenClaw gateway of our own, with scripted agents: for the demo, and for tests without Node or a model."""
